"""Base class of collectors that record one image of a batch."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn
from torch.utils.hooks import RemovableHandle

from mmsnn.analysis.collector import Collector
from mmsnn.analysis.model_parts import find_batch
from mmsnn.utils import describe


@dataclass(frozen=True, eq=False)
class InputImage:
    """An input image of the network, normalised and padded.

    Attributes:
        values: An image ``[C, H, W]`` or frames ``[T, C, H, W]``.
        height: Number of rows without the padding.
        width: Number of columns without the padding.
    """

    values: np.ndarray
    height: int
    width: int


class OneImage(Collector):
    """Base class of collectors that record one image of a batch, in the last call.

    Args:
        model: The model.
        image: Index of the image in the batch.
    """

    def __init__(self, model: nn.Module, image: int = 0) -> None:
        super().__init__(model)
        if type(image) is not int or image < 0:
            raise ValueError(
                f'image must be an index in the batch, 0 or more, '
                f'but got {describe(image)}'
            )
        self.image = image
        self._batch_size = 0
        self._input: InputImage | None = None
        self._seen: dict[str, Any] = {}

    def attach(self) -> Iterator[RemovableHandle]:
        """Register the hooks; yield their handles."""
        yield self.model.register_forward_pre_hook(self._begin, with_kwargs=True)
        yield from self.watch()

    def watch(self) -> Iterator[RemovableHandle]:
        """Register the hooks of the layers; yield their handles."""
        raise NotImplementedError(f'{type(self).__name__} defines no watch')

    def _begin(
        self, module: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> None:
        batch = find_batch(args, kwargs)
        self._batch_size = len(batch)
        if self.image >= self._batch_size:
            raise ValueError(
                f'image must be less than {self._batch_size}, the batch size, but got '
                f'{self.image}'
            )
        values = batch[self.image].detach().float().cpu().numpy()
        size = values.shape[-2:]
        samples = kwargs.get('data_samples')
        if samples is not None:
            size = samples[self.image].metainfo.get('img_shape', size)[:2]
        self._input = InputImage(values, *map(int, size))
        self._seen.clear()

    def seen(self, names: Sequence[str]) -> tuple[InputImage, list[Any]]:
        """Return the image and the records of the layers with these names.

        Raises:
            RuntimeError: If the model or one of the layers has not been called.
        """
        missing = [name for name in names if name not in self._seen]
        if self._input is None or missing:
            raise RuntimeError(
                f'{type(self).__name__}: the model was not called, or did not call '
                f'{missing}'
            )
        return self._input, [self._seen[name] for name in names]
