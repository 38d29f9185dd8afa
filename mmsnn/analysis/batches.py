"""Batches of a model's inputs, and where they come from."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch.utils.data import DataLoader, Dataset

from mmsnn.utils import check_choice, check_positive_int


@dataclass(frozen=True)
class InputSource:
    """Source of the images.

    Attributes:
        kind: ``'dataset'``: the config's test set; ``'folder'``: image files, processed
            by the config's test pipeline; ``'random'``: noise.
        folder: Folder of the images for ``'folder'``; subfolders are included.
        size: Height and width for ``'random'``; None uses the size that the config's
            test pipeline defines, otherwise 224x224.

    Raises:
        ValueError: If ``kind`` is unknown, or ``folder`` or ``size`` does not fit it.
    """

    kind: Literal['dataset', 'folder', 'random'] = 'dataset'
    folder: Path | None = None
    size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        check_choice('kind', self.kind, ('dataset', 'folder', 'random'))
        if (self.folder is not None) != (self.kind == 'folder'):
            given = f'kind {self.kind!r} and folder {self.folder!r}'
            raise ValueError(f"a folder belongs to kind 'folder', but got {given}")
        if self.size is not None:
            if self.kind != 'random':
                raise ValueError(
                    f"a size belongs to kind 'random', but got kind {self.kind!r}"
                )
            for side in self.size:
                check_positive_int('size', side)


class Batches:
    """Batches for ``model.test_step``; each iteration yields the same ones.

    Attributes:
        num_images: Number of images in all batches.
        requested: Number of images requested; more than ``num_images`` if the source
            has fewer.
        source: Description of the images.
        made_up: Whether labels and boxes are random, as for noise and image files: they
            can be used for a loss's gradient, but its value has no meaning.
        metainfo: Metainfo of a data set, such as its classes; empty for other sources.
    """

    def __init__(
        self,
        samples: Dataset,
        num_images: int,
        requested: int,
        batch_size: int,
        collate: Callable[[Sequence[Any]], Any],
        source: str,
        made_up: bool,
        metainfo: Mapping[str, Any],
    ) -> None:
        self.num_images = num_images
        self.requested = requested
        self.source = source
        self.made_up = made_up
        self.metainfo = metainfo
        self._samples = samples
        self._batch_size = batch_size
        self._collate = collate

    def __len__(self) -> int:
        return -(-self.num_images // self._batch_size)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        # a separate generator, because the loader would advance the global one
        return iter(
            DataLoader(
                self._samples,
                batch_size=self._batch_size,
                collate_fn=self._collate,
                generator=torch.Generator(),
            )
        )


__all__ = ['Batches', 'InputSource']
