"""Batches of event frames for detectors."""

from collections.abc import Mapping
from typing import Any

import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor
from torch.nn.functional import pad

from mmsnn.models.neurons.carried_state import current_steps
from mmsnn.registry import MODELS
from mmsnn.utils import check_positive_int
from mmsnn.utils.errors import UserError


@MODELS.register_module()
class EventDetDataPreprocessor(BaseDataPreprocessor):
    """Stacks samples of event frames into a batch ``[N, T, C, H, W]``.

    Counts are not normalised. Samples are padded with zeros at the bottom and on the
    right to a common size, which is a multiple of ``pad_size_divisor``. A sample whose
    first two axes are not T and C raises; if T = C, swapped axes are not detected.

    Args:
        num_steps: Number of time steps T of each sample. In a stream, each chunk has
            its own, see :func:`mmsnn.streaming.stream_detections`.
        channels: Number of channels C of each sample.
        pad_size_divisor: The height and width are padded to multiples of it.

    Raises:
        TypeError: If an argument is not an integer.
        ValueError: If an argument is less than 1, or, when called, if a sample has
            another shape (:class:`~mmsnn.utils.errors.UserError`).
    """

    def __init__(
        self, num_steps: int, channels: int = 2, pad_size_divisor: int = 1
    ) -> None:
        super().__init__()
        self.num_steps = check_positive_int('num_steps', num_steps)
        self.channels = check_positive_int('channels', channels)
        self.divisor = check_positive_int('pad_size_divisor', pad_size_divisor)

    def forward(
        self, data: Mapping[str, Any], training: bool = False
    ) -> dict[str, Any]:
        """Return the batch, with the padded size in the metadata of the samples."""
        # imported lazily, because classifiers do not need MMDetection
        from mmdet.models.utils.misc import samplelist_boxtype2tensor

        data = self.cast_data(dict(data))
        inputs, samples = data['inputs'], data.get('data_samples')
        for sample in inputs:
            self._check(sample)
        height, width = (
            -(-max(sample.shape[axis] for sample in inputs) // self.divisor)
            * self.divisor
            for axis in (-2, -1)
        )
        batch = torch.stack([_pad(sample, height, width) for sample in inputs])
        for sample in samples or ():
            shape = (height, width)
            sample.set_metainfo({'batch_input_shape': shape, 'pad_shape': shape})
        if samples is not None:
            samplelist_boxtype2tensor(samples)
        return {'inputs': batch, 'data_samples': samples}

    def _check(self, sample: Tensor) -> None:
        shape, num_steps = list(sample.shape), current_steps(self.num_steps)
        if len(shape) != 4 or shape[:2] != [num_steps, self.channels]:
            raise UserError(
                f'samples must have shape [num_steps={num_steps}, '
                f'channels={self.channels}, H, W], but one has {shape}'
            )


def _pad(sample: Tensor, height: int, width: int) -> Tensor:
    right, bottom = width - sample.shape[-1], height - sample.shape[-2]
    return pad(sample.float(), (0, right, 0, bottom))
