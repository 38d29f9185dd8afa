"""Spike-driven Transformers: Meta-SpikeFormer (V2) and E-SpikeFormer (V3)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Unpack

from torch import nn

from mmsnn.models.layers import LayerFactory, SpikeDrivenAttention, Unit
from mmsnn.models.layers.shortcut_block import ShortcutBlock, mlp, separable_conv
from mmsnn.models.stems import build_stem
from mmsnn.registry import MODELS
from mmsnn.utils import check_choice, check_positive_int, check_sequence

from .base import SpikingBackbone, check_out_indices
from .settings import BackboneOptions

STEM: Mapping[str, Any] = dict(
    type='DirectStem', kernel_size=7, stride=2, pool=False, bias=True
)
STRIDES = (2, 2, 2, 1)
NUM_BLOCKS = (1, 2, 6, 2)
"""Downsampling factor and number of blocks of each stage. The first two stages have
blocks of convolutions; one more precedes the first stage's downsampling."""

INIT: Mapping[str, Any] = dict(
    type='Kaiming',
    layer='Conv2d',
    a=math.sqrt(5),
    mode='fan_in',
    nonlinearity='leaky_relu',
    distribution='uniform',
)
"""PyTorch's initialisation of convolutions, which the authors keep."""

FIRST_ATTENTION = 2
"""The first stage with attention; 0 is the first stage."""


@dataclass(frozen=True)
class SpikeFormerWiring:
    """Differences between the generations of spike-driven Transformers.

    Args:
        separable: Layers (C convolution, N norm, S neuron) of the three units of a
            separable convolution: 1x1, depthwise, 1x1.
        attention_conv: Whether blocks of attention begin with a 3x3 separable
            convolution.
        attention: Arguments of :class:`mmsnn.models.layers.SpikeDrivenAttention`.
    """

    separable: tuple[str, str, str]
    attention_conv: bool
    attention: Mapping[str, Any] = field(default_factory=dict)


class SpikeFormer(SpikingBackbone):
    """Base of spike-driven Transformers.

    A stem (7x7 of stride 2) and four stages. Each stage begins with neurons and a 3x3
    convolution that changes the size; the first two continue with blocks of
    convolutions, the last two with blocks of attention. The last stage does not
    downsample. Blocks exchange analog values; every branch begins with neurons.

    Derived classes set :attr:`wiring` and :attr:`sizes`.
    """

    wiring: ClassVar[SpikeFormerWiring]
    sizes: ClassVar[Mapping[str, tuple[int, int, int, int]]]
    """Channels of the four stages, by the published size."""

    def __init__(
        self,
        channels: str | Sequence[int],
        *,
        num_heads: int = 8,
        **options: Unpack[BackboneOptions],
    ) -> None:
        if isinstance(channels, str):
            check_choice('channels', channels, self.sizes)
            channels = self.sizes[channels]
        widths = _check_channels(channels, num_heads)
        settings = self.settings(options)
        indices = check_out_indices(settings.out_indices, len(widths))
        layers = settings.layers()
        width = widths[0] // 2
        stem = build_stem(STEM, settings.in_channels, width, layers, spiking=False)
        stages = []
        for i in range(indices[-1] + 1):
            stage = nn.Sequential()
            if i == 0:
                stage.append(self._conv_block(width, layers))
            size = (width, widths[i], 3, STRIDES[i])
            stage.append(Unit('SCN', *size, layers, bias=True))
            width = widths[i]
            for _ in range(NUM_BLOCKS[i]):
                if i < FIRST_ATTENTION:
                    stage.append(self._conv_block(width, layers))
                else:
                    stage.append(self._attention_block(width, num_heads, layers))
            stages.append(stage)
        super().__init__(
            settings,
            stem=stem,
            stages=stages,
            channels=widths,
            out_indices=indices,
            values='analog',
            closing='S',
            layers=layers,
        )
        self.num_heads = num_heads

    def _conv_block(self, channels: int, layers: LayerFactory) -> ShortcutBlock:
        conv = separable_conv(channels, 7, self.wiring.separable, layers)
        return ShortcutBlock(dict(conv=conv, mlp=mlp(channels, 3, layers, bias=False)))

    def _attention_block(
        self, channels: int, num_heads: int, layers: LayerFactory
    ) -> ShortcutBlock:
        branches: dict[str, nn.Module] = {}
        if self.wiring.attention_conv:
            conv = separable_conv(channels, 3, self.wiring.separable, layers)
            branches['conv'] = conv
        branches['attention'] = SpikeDrivenAttention(
            channels, num_heads, layers, **self.wiring.attention
        )
        branches['mlp'] = mlp(channels, 1, layers, bias=True)
        return ShortcutBlock(branches)


def _check_channels(channels: Sequence[int], num_heads: int) -> tuple[int, ...]:
    check_sequence('channels', channels, 'integers')
    check_positive_int('num_heads', num_heads)
    widths = tuple(check_positive_int('channels', width) for width in channels)
    if len(widths) != len(STRIDES):
        raise ValueError(
            f'channels must have {len(STRIDES)} entries, one per stage, '
            f'but got {widths}'
        )
    if widths[0] % 2:
        raise ValueError(f'channels[0] must be even, but got {widths[0]}')
    for i in range(FIRST_ATTENTION, len(widths)):
        if widths[i] % num_heads:
            raise ValueError(
                f'channels[{i}] must be a multiple of num_heads={num_heads}, '
                f'but got {widths[i]}'
            )
    return widths


@MODELS.register_module()
class MetaSpikeFormer(SpikeFormer):
    """Meta-SpikeFormer (Yao et al. 2024, *Spike-driven Transformer V2*, ICLR).

    Wiring, sizes and neurons are those of the authors' code: in separable convolutions
    the depthwise convolution feeds the last 1x1 convolution without neurons, so that
    the latter multiplies; queries, keys, values and the attention's output are made by
    :class:`mmsnn.models.layers.RepConv`; attention is scaled by 0.125 and its neurons
    have half the threshold. The code prepares stochastic depth but does not apply it.
    Their neurons have SpikingJelly's default surrogate of that version (0.0.0.0.12), a
    sigmoid with alpha 4.

    Here neurons close every output, for spike decoders. The authors' classifier has
    them after the average over positions instead.

    Args:
        channels: Channels of the four stages, or a published size: ``'15M'``,
            ``'31M'`` or ``'55M'`` parameters with a classifier of 1000 classes.
        num_heads: Number of attention heads.
        **options: Arguments of all backbones, see :class:`BackboneSettings`. By
            default, ``num_steps`` is 4, ``neuron`` is LIF with ``tau=2``, and
            convolutions are initialised as in PyTorch.

    Shape:
        Images ``[N, in_channels, H, W]``, or frames ``[N, T, in_channels, H, W]``, to a
        tuple of ``[T, N, C_i, H / s_i, W / s_i]``, i in ``out_indices``, ``s_i`` = 4,
        8, 16, 16, sizes rounded up.

    Attributes:
        num_heads: Number of attention heads.
        out_channels: Channels of each output.
        values: Kind of values between blocks: ``'analog'``.
        out_values: Kind of values of the outputs.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range, or the image has other channels.
    """

    wiring = SpikeFormerWiring(
        ('SCN', 'SC', 'CN'),
        attention_conv=False,
        attention=dict(
            scale=0.125, rep_convs=True, attention_neuron=dict(v_threshold=0.5)
        ),
    )
    sizes = {
        '15M': (64, 128, 256, 360),
        '31M': (96, 192, 384, 480),
        '55M': (128, 256, 512, 640),
    }
    defaults = BackboneOptions(
        neuron=dict(
            type='LIF',
            tau=2.0,
            detach_reset=True,
            surrogate=dict(type='Sigmoid', alpha=4.0),
        ),
        init_cfg=INIT,
    )


@MODELS.register_module()
class ESpikeFormer(SpikeFormer):
    """E-SpikeFormer (Yao et al. 2025, *Scaling spike-driven Transformer*, TPAMI; V3).

    Wiring and sizes are those of the authors' code: neurons and a norm at each
    convolution of a separable convolution, blocks of attention that begin with one of
    3x3, 1x1 convolutions in attention, values of four times the channels, a scale of
    ``2 / sqrt(channels / num_heads)``, and integer neurons with one time step. The code
    prepares stochastic depth but does not apply it.

    Their neurons return C / D for integers C up to D = 4; here they return C, so that
    convolutions accumulate. The initializer ``PretrainedSpikeFormer`` divides published
    weights by D accordingly.

    Here neurons close every output, for spike decoders. The authors' classifier has
    them after the average over positions instead.

    Args:
        channels: Channels of the four stages, or a published size: ``'5M'``, ``'10M'``
            or ``'19M'`` parameters with a classifier of 1000 classes.
        num_heads: Number of attention heads.
        **options: Arguments of all backbones, see :class:`BackboneSettings`. By
            default, ``num_steps`` is 1, ``neuron`` is ILIF with ``max_value=4``, and
            convolutions are initialised as in PyTorch.

    Shape:
        Images ``[N, in_channels, H, W]``, or frames ``[N, T, in_channels, H, W]``, to a
        tuple of ``[T, N, C_i, H / s_i, W / s_i]``, i in ``out_indices``, ``s_i`` = 4,
        8, 16, 16, sizes rounded up.

    Attributes:
        num_heads: Number of attention heads.
        out_channels: Channels of each output.
        values: Kind of values between blocks: ``'analog'``.
        out_values: Kind of values of the outputs.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range, or the image has other channels.
    """

    wiring = SpikeFormerWiring(
        ('SCN', 'SCN', 'SCN'), attention_conv=True, attention=dict(value_ratio=4)
    )
    sizes = {
        '5M': (32, 64, 128, 192),
        '10M': (48, 96, 192, 240),
        '19M': (64, 128, 256, 360),
    }
    defaults = BackboneOptions(
        num_steps=1, neuron=dict(type='ILIF', max_value=4), init_cfg=INIT
    )
