"""The neck that decodes every level of a spiking backbone's features."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.model import BaseModule
from torch import Tensor, nn

from mmsnn.models.build import build_part
from mmsnn.registry import MODELS
from mmsnn.utils import check_positive_int, check_sequence

from .rate import BaseDecoder

RATE: Mapping[str, Any] = dict(type='Rate')


@MODELS.register_module()
class SpikeDecoder(BaseModule):
    """Neck with one independent decoder per feature level.

    As the first in a list of necks, it allows any detector or classifier to use a
    spiking backbone, since the modules after it receive ordinary features.

    Args:
        in_channels: Channels of each level.
        num_steps: Number of time steps T of the backbone.
        decoder: Config of the decoder with its own arguments, such as
            ``dict(type='ASD')``. The type is the name of a class that is derived from
            :class:`BaseDecoder` and registered in :data:`mmsnn.registry.MODELS`, or of
            any other registered class with its scope.
        init_cfg: MMEngine's initialisation config; None keeps PyTorch's.

    Shape:
        A sequence of ``[T, N, C_i, H_i, W_i]`` to a tuple of ``[N, C_i, H_i, W_i]``.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range, or an input does not fit.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        num_steps: int,
        decoder: Mapping[str, Any] = RATE,
        init_cfg: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        check_sequence('in_channels', in_channels, 'integers, one per level')
        if not in_channels:
            raise ValueError('in_channels must name at least one level, but got none')
        self.num_steps = check_positive_int('num_steps', num_steps)
        self.in_channels = tuple(
            check_positive_int('in_channels', channels) for channels in in_channels
        )
        self.decoders = nn.ModuleList(
            build_part(
                'decoder',
                decoder,
                BaseDecoder,
                dict(channels=channels, num_steps=self.num_steps),
            )
            for channels in self.in_channels
        )

    def forward(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Return the decoded features of all levels."""
        if isinstance(inputs, Tensor) or len(inputs) != len(self.decoders):
            given = 'a tensor' if isinstance(inputs, Tensor) else f'{len(inputs)}'
            raise ValueError(
                f'SpikeDecoder was built for {len(self.decoders)} levels, '
                f'in_channels={self.in_channels}, but got {given}'
            )
        return tuple(
            decode(spikes) for decode, spikes in zip(self.decoders, inputs, strict=True)
        )
