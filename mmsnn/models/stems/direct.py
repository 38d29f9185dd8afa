"""Direct coding: the image is a constant current into the first layer of neurons."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from mmsnn.models.build import build_part
from mmsnn.models.layers import LayerFactory, Unit
from mmsnn.registry import MODELS
from mmsnn.utils import check_choice, check_positive_int, describe


@MODELS.register_module()
class DirectStem(nn.Module):
    """Convolution and norm once on the image, neurons T times, then a max-pool.

    The image is the same at every step, so its convolution is computed once and its
    result repeated (without a copy) as the neurons' input current. The max-pool runs on
    spikes (Zhang et al. 2023, Section 4.1).

    Args:
        in_channels: Channels of the image.
        out_channels: Channels of the spikes.
        layers: Builds the layers.
        kernel_size: Of the convolution.
        stride: Of the convolution.
        pool: Whether a 3x3 max-pool of stride 2 follows the neurons.

    Shape:
        ``[N, in_channels, H, W]`` to ``[T * N, out_channels, H', W']``.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If a size is less than 1.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        layers: LayerFactory,
        kernel_size: int = 7,
        stride: int = 2,
        pool: bool = True,
    ) -> None:
        super().__init__()
        check_positive_int('stem kernel_size', kernel_size)
        check_positive_int('stem stride', stride)
        self.num_steps = layers.num_steps
        self.encode = Unit('CN', in_channels, out_channels, kernel_size, stride, layers)
        self.neuron = layers.make_neuron()
        self.pool = nn.MaxPool2d(3, stride=2, padding=1) if pool else None

    def forward(self, image: Tensor) -> Tensor:
        """See the class."""
        current = self.encode(image.contiguous(memory_format=torch.channels_last))
        repeated = current.expand(self.num_steps, *current.shape)
        spikes = self.neuron(repeated).flatten(0, 1)
        return spikes if self.pool is None else self.pool(spikes)


STEM_PRESETS: dict[str, dict[str, Any]] = {
    'imagenet': dict(type='DirectStem', kernel_size=7, stride=2, pool=True),
    'cifar': dict(type='DirectStem', kernel_size=3, stride=1, pool=False),
}


def build_stem(
    cfg: str | Mapping[str, Any],
    in_channels: int,
    out_channels: int,
    layers: LayerFactory,
) -> nn.Module:
    """Build a stem from a preset's name or a config.

    Args:
        cfg: ``'imagenet'`` (7x7 of stride 2, 3x3 max-pool of stride 2), ``'cifar'``
            (3x3 of stride 1, no pool), or ``dict(type='DirectStem', ...)``.
        in_channels: Channels of the image.
        out_channels: Channels of the stem's output.
        layers: Builds the layers.

    Raises:
        TypeError: If ``cfg`` is neither.
        ValueError: If the preset or type is unknown.
    """
    if isinstance(cfg, str):
        check_choice('stem', cfg, STEM_PRESETS)
        cfg = STEM_PRESETS[cfg]
    if not isinstance(cfg, Mapping):
        raise TypeError(
            f'stem must be one of {", ".join(STEM_PRESETS)} or a dict with a type, '
            f'but got {describe(cfg)}'
        )
    given = dict(in_channels=in_channels, out_channels=out_channels, layers=layers)
    return build_part('stem', cfg, ('DirectStem',), given)
