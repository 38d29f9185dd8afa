"""Spiking DenseNet: dense concatenation, the alternative to dense addition."""

from collections.abc import Mapping
from typing import Any, Unpack

import torch
from torch import Tensor, nn

from mmsnn.models.layers import (
    LayerFactory,
    Recomputable,
    RecomputableSequential,
    Unit,
)
from mmsnn.models.residual import Values
from mmsnn.models.stems import build_stem
from mmsnn.registry import MODELS
from mmsnn.utils import check_choice, check_positive_int

from .base import SpikingBackbone, check_out_indices, values_after
from .settings import BackboneOptions

DENSENETS: dict[int, tuple[int, tuple[int, int, int, int]]] = {
    121: (32, (6, 12, 24, 16)),
    161: (48, (6, 12, 36, 24)),
    201: (32, (6, 12, 48, 32)),
}
"""Growth rate and dense layers per block, by depth (Huang et al. 2017, Table 1; 161:
the authors' wider network, as in torchvision)."""

ORDERS = ('CNS', 'NSC')

BOTTLENECK = 4
"""Width of a dense layer's 1x1 convolution, in multiples of the growth rate."""


class DenseLayer(Recomputable):
    """A bottleneck that appends ``growth_rate`` channels to its input.

    ``y = [x, f(x)]``, where ``f`` is a 1x1 and a 3x3 convolution (Huang et al. 2017,
    Eq. 2).

    Args:
        order: Layers of both units.
        in_channels: Channels of the input.
        growth_rate: Number of channels that are appended.
        layers: Builds the layers.

    Shape:
        ``[T * N, C, H, W]`` to ``[T * N, C + growth_rate, H, W]``.
    """

    def __init__(
        self, order: str, in_channels: int, growth_rate: int, layers: LayerFactory
    ) -> None:
        super().__init__()
        width = BOTTLENECK * growth_rate
        self.branch = nn.Sequential(
            Unit(order, in_channels, width, 1, 1, layers),
            Unit(order, width, growth_rate, 3, 1, layers),
        )

    def compute(self, x: Tensor) -> Tensor:
        """Return the input with the new channels appended."""
        return torch.cat([x, self.branch(x)], dim=1)


class Transition(RecomputableSequential):
    """A 1x1 convolution that halves the channels, and 2x2 average pooling.

    Neurons at the end of ``order`` follow the pool, so that their input currents are
    averaged; an average of spikes would not be binary.

    Args:
        order: Layers other than the pool.
        in_channels: Channels of the input, an even number.
        layers: Builds the layers.

    Shape:
        ``[T * N, C, H, W]`` to ``[T * N, C / 2, H / 2, W / 2]``, sizes rounded down.
    """

    def __init__(self, order: str, in_channels: int, layers: LayerFactory) -> None:
        currents = order.removesuffix('S')
        channels = in_channels // 2
        super().__init__(
            Unit(currents, in_channels, channels, 1, 1, layers),
            nn.AvgPool2d(2),
            Unit(order.removeprefix(currents), channels, channels, 1, 1, layers),
        )


@MODELS.register_module()
class DenseNetSNN(SpikingBackbone):
    """A spiking DenseNet: each layer's input is the output of all previous layers.

    This is the network of the "Concate" columns in Table III of Li et al., *Rethinking
    residual connection in training large-scale spiking neural networks*, where it is
    compared with dense addition (:class:`DANet`): the larger networks are better on
    small data sets and worse on ImageNet. It is DenseNet-BC (Huang et al. 2017,
    *Densely connected convolutional networks*) with neurons in place of ReLUs.

    Li et al. do not specify the order of layers, but say that sparse binary feature
    maps are concatenated. This holds for the order ``'CNS'``, where layers exchange
    only spikes. A transition averages over 2x2, and averages of spikes are not binary,
    so its order is convolution, norm, pool, neuron, which averages the currents.
    ``'NSC'`` is the ANN's order (pre-activation), with the ANN's parameters: analog
    values are concatenated and averaged, and a norm and neurons close each output. In
    both orders the input of every convolution except the stem's is spikes.

    With ``'NSC'`` the stem has no neurons (the ANN's has a ReLU). If it had, its
    max-pool would return spikes at more than half of the positions, which the next norm
    would scale below the threshold: IF neurons with one or two time steps would never
    fire.

    Args:
        depth: 121, 161 or 201.
        order: Layers of each unit, ``'CNS'`` or ``'NSC'``: C convolution, N norm, S
            spiking neuron.
        growth_rate: Channels that each layer adds. None is the depth's default: 48 for
            161, otherwise 32. The stem has twice as many.
        stem: ``'imagenet'``, ``'cifar'``, ... or a stem's config, see
            :func:`mmsnn.models.stems.build_stem`.
        **options: Arguments of all backbones, see :class:`BackboneSettings`. A stage is
            a dense block and the transition before it.

    Shape:
        Images ``[N, in_channels, H, W]``, or frames ``[N, T, in_channels, H, W]``, to a
        tuple of ``[T, N, C_i, H / s_i, W / s_i]``, one for each of ``out_indices``,
        ``s_i`` = 4, 8, 16, 32 with the ImageNet stem. Transitions round sizes down.

    Attributes:
        depth: The depth.
        order: The order of layers.
        growth_rate: Channels that each layer adds.
        out_channels: Channels of each output; in multiples of the growth rate 8, 16,
            32, 32 (121), 8, 16, 44, 46 (161) or 8, 16, 56, 60 (201).
        values: Kind of values between layers: ``'binary'`` (CNS) or ``'analog'`` (NSC).
        out_values: Kind of values of the outputs: ``'binary'``.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range, or the image has other channels.
    """

    def __init__(
        self,
        depth: int,
        order: str = 'CNS',
        *,
        growth_rate: int | None = None,
        stem: str | Mapping[str, Any] = 'imagenet',
        **options: Unpack[BackboneOptions],
    ) -> None:
        check_choice('depth', depth, DENSENETS)
        check_choice('order', order, ORDERS)
        settings = self.settings(options)
        own_growth, num_layers = DENSENETS[depth]
        if growth_rate is None:
            growth_rate = own_growth
        check_positive_int('growth_rate', growth_rate)
        indices = check_out_indices(settings.out_indices, len(num_layers))

        layers = settings.layers()
        spiking = order.endswith('S')
        width = 2 * growth_rate
        channels: list[int] = []
        stages = []
        for i in range(indices[-1] + 1):
            stage = nn.Sequential()
            if i > 0:
                stage.append(Transition(order, channels[-1], layers))
                width = channels[-1] // 2
            for _ in range(num_layers[i]):
                stage.append(DenseLayer(order, width, growth_rate, layers))
                width += growth_rate
            stages.append(stage)
            channels.append(width)
        built_stem = build_stem(
            stem, settings.in_channels, 2 * growth_rate, layers, spiking
        )
        values: Values = 'binary' if spiking else 'analog'
        super().__init__(
            settings,
            stem=built_stem,
            stages=stages,
            channels=channels,
            out_indices=indices,
            values=values_after(built_stem, values, carried=True),
            closing=order.partition('C')[0],
            layers=layers,
        )
        self.depth = depth
        self.order = order
        self.growth_rate = growth_rate
