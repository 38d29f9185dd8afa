"""Direct coding: the image is a constant current into the first layer of neurons."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from mmsnn.models.build import build_part
from mmsnn.models.layers import LayerFactory, Unit
from mmsnn.registry import MODELS
from mmsnn.utils import check_bool, check_choice, check_positive_int, describe


@MODELS.register_module()
class DirectStem(nn.Module):
    """Convolution and norm once on the image, neurons T times, then a max-pool.

    The image is the same at every step, so its convolution is computed once and its
    result repeated (without a copy) as the neurons' input current. The max-pool runs on
    spikes (Zhang et al. 2023, Section 4.1). A sequence of frames, such as those of an
    event camera, is convolved frame by frame instead.

    Args:
        in_channels: Channels of the image.
        out_channels: Channels of the output.
        layers: Builds the layers.
        spiking: Whether neurons end the stem; without them its output is analog, for
            families whose blocks begin with neurons.
        kernel_size: Of the convolutions.
        stride: Of the first convolution.
        pool: Whether a 3x3 max-pool of stride 2 follows.
        num_convs: How many convolutions, with nothing between them (those before the
            last have a bias) and one norm behind them.

    Shape:
        Images ``[N, in_channels, H, W]`` or frames ``[N, T, in_channels, H, W]`` to
        ``[T * N, out_channels, H', W']``.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If a size is less than 1, or the input has another shape.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        layers: LayerFactory,
        spiking: bool = True,
        kernel_size: int = 7,
        stride: int = 2,
        pool: bool = True,
        num_convs: int = 1,
    ) -> None:
        super().__init__()
        check_positive_int('stem kernel_size', kernel_size)
        check_positive_int('stem stride', stride)
        check_positive_int('stem num_convs', num_convs)
        check_bool('stem pool', pool)
        self.num_steps = layers.num_steps
        self.in_channels = in_channels
        self.lead = nn.Sequential()
        for _ in range(num_convs - 1):
            self.lead.append(
                layers.make_conv(in_channels, out_channels, kernel_size, stride, True)
            )
            in_channels, stride = out_channels, 1
        self.encode = Unit('CN', in_channels, out_channels, kernel_size, stride, layers)
        self.neuron = layers.make_neuron() if spiking else None
        self.pool = nn.MaxPool2d(3, stride=2, padding=1) if pool else None

    def forward(self, image: Tensor) -> Tensor:
        """See the class."""
        is_image = self._is_image(image)
        if not is_image:
            image = image.transpose(0, 1).flatten(0, 1)
        image = image.contiguous(memory_format=torch.channels_last)
        x = self.encode(self.lead(image))
        if self.neuron is None:
            if self.pool is not None:
                x = self.pool(x)
            # an expanded tensor would lose channels-last when it is folded
            return torch.cat([x] * self.num_steps) if is_image else x
        if is_image:
            x = self.neuron(x.expand(self.num_steps, *x.shape)).flatten(0, 1)
        else:
            x = self.neuron(x)
        return x if self.pool is None else self.pool(x)

    def _is_image(self, image: Tensor) -> bool:
        """Return whether the input is an image, not a sequence of frames."""
        *batch, channels, _, _ = image.shape if image.dim() in (4, 5) else [0] * 3
        known = len(batch) == 1 or batch[1:] == [self.num_steps]
        if channels != self.in_channels or not known:
            raise ValueError(
                f'expected images of shape [N, {self.in_channels}, H, W] or frames of '
                f'shape [N, {self.num_steps}, {self.in_channels}, H, W], '
                f'but got {list(image.shape)}'
            )
        return len(batch) == 1


STEM_PRESETS: dict[str, dict[str, Any]] = {
    'imagenet': dict(type='DirectStem', kernel_size=7, stride=2, pool=True),
    'cifar': dict(type='DirectStem', kernel_size=3, stride=1, pool=False),
    'ms': dict(type='DirectStem', kernel_size=7, stride=2, pool=False),
    'ms104': dict(type='DirectStem', kernel_size=3, stride=2, pool=False, num_convs=3),
}


def build_stem(
    cfg: str | Mapping[str, Any],
    in_channels: int,
    out_channels: int,
    layers: LayerFactory,
    spiking: bool = True,
) -> nn.Module:
    """Build a stem from a preset's name or a config.

    Args:
        cfg: ``'imagenet'`` (7x7 of stride 2, 3x3 max-pool of stride 2), ``'cifar'``
            (3x3 of stride 1, no pool), ``'ms'`` (MS-ResNet's, the first without
            the pool), ``'ms104'`` (three 3x3, the first of stride 2, no pool), or
            ``dict(type='DirectStem', ...)``.
        in_channels: Channels of the image.
        out_channels: Channels of the stem's output.
        layers: Builds the layers.
        spiking: Whether the stem ends with neurons.

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
    given = dict(
        in_channels=in_channels,
        out_channels=out_channels,
        layers=layers,
        spiking=spiking,
    )
    return build_part('stem', cfg, ('DirectStem',), given)
