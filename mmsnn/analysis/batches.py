"""Batches of a model's inputs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset


class Batches:
    """Batches for ``model.test_step``; each iteration yields the same ones.

    Attributes:
        num_images: Number of images in all batches.
        requested: Number of images requested; more than ``num_images`` if the source
            has fewer.
        source: Description of the images.
        made_up: Whether labels and boxes are random, as for noise and image files: they
            can be used for a loss's gradient, but its value has no meaning.
        metainfo: Of the data set, such as its classes; empty for other sources.
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
        # a separate generator, because the loader would use the global one
        return iter(
            DataLoader(
                self._samples,
                batch_size=self._batch_size,
                collate_fn=self._collate,
                generator=torch.Generator(),
            )
        )
