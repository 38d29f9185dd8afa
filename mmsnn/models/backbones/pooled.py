"""Nets whose stages end with a max-pool, of blocks of any residual family."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from torch import Tensor, nn

from mmsnn.models.layers import (
    LayerFactory,
    MaxPool2d,
    RecomputableSequential,
    Unit,
)
from mmsnn.models.residual import BasicBlock, Wiring, get_family, make_stage
from mmsnn.models.stems import build_stem
from mmsnn.registry import MODELS
from mmsnn.utils import check_positive_int, check_sequence

from .base import (
    BATCH_NORM,
    IF_NEURON,
    InitCfg,
    SpikingBackbone,
    check_out_indices,
    family_layers,
)

_STEM = dict(type='DirectStem', kernel_size=3, stride=1, pool=False)


class PooledResNetOptions(TypedDict, total=False):
    """Arguments of :class:`PooledResNet` that named networks take too."""

    in_channels: int
    out_indices: Sequence[int]
    neuron: Mapping[str, Any]
    conv_cfg: Mapping[str, Any] | None
    norm_cfg: Mapping[str, Any]
    frozen_stages: int
    norm_eval: bool
    zero_init_residual: bool
    init_cfg: InitCfg
    memory_efficient: bool


class PooledBackbone(SpikingBackbone):
    """A backbone each of whose stages ends with a max-pool of 2."""

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """See :class:`SpikingBackbone`.

        Raises:
            ValueError: If the input has another shape, or is too small.
        """
        needed = 2 ** len(self.stages)
        if image.dim() > 3 and min(image.shape[-2:]) < needed:
            raise ValueError(
                f'{len(self.stages)} max-pools need images or frames of at least '
                f'{needed} x {needed} pixels, but got shape {list(image.shape)}'
            )
        return super().forward(image)


def _make_stage(
    in_channels: int,
    channels: int,
    num_blocks: int,
    wiring: Wiring,
    layers: LayerFactory,
) -> RecomputableSequential:
    """Return a change of width where there is one, blocks and a max-pool."""
    parts: list[tuple[str, nn.Module]] = []
    if in_channels != channels:
        # analog values stay so: like the stem, it leaves firing to the block behind it
        order = 'CN' if wiring.values == 'analog' else 'CNS'
        parts.append(('widen', Unit(order, in_channels, channels, 1, 1, layers)))
    blocks = make_stage(BasicBlock, num_blocks, channels, channels, 1, wiring, layers)
    # a stage of one block is the block: the weights of 7B-Net are named so
    parts.append(('block', blocks if num_blocks > 1 else blocks[0]))
    parts.append(('pool', MaxPool2d(2)))
    return RecomputableSequential(OrderedDict(parts))


def _check_widths(widths: Sequence[int]) -> tuple[int, ...]:
    check_sequence('widths', widths, 'integers')
    if not widths:
        raise ValueError('widths must have one entry a stage, but got none')
    return tuple(check_positive_int('widths', width) for width in widths)


@MODELS.register_module()
class PooledResNet(PooledBackbone):
    """A 3x3 stem and stages of equal blocks, each stage ending with a max-pool of 2.

    The default is the network with which the SEW paper compares surrogates (Fang et al.
    2021, A.5), without its classifier, which is the head's:
    ``c32k3s1-BN-IF-{{block(c32)}*2-MPk2s2}*5``.

    Families whose blocks exchange analog values have no neurons in the stem and at a
    change of width, pool analog values, and end each output with neurons.

    Args:
        family: A row of :data:`mmsnn.models.residual.FAMILIES`, by name or itself.
        widths: Channels of each stage. Where the width changes there is a convolution
            of 1x1, with its norm and neurons, before the stage.
        num_blocks: Blocks of each stage.
        num_steps: Number of time steps T.
        in_channels: Channels of an image or frame.
        out_indices: Stages whose features are returned.
        neuron: Neuron config, see :func:`mmsnn.models.neurons.build_neuron`.
        conv_cfg: MMCV's convolution config; None is ``nn.Conv2d``.
        norm_cfg: MMCV's norm config.
        frozen_stages: See :class:`SpikingBackbone`, as all that follow.
        norm_eval: Whether norms stay in evaluation mode while training.
        zero_init_residual: Whether blocks start as the identity.
        init_cfg: MMEngine's initialisation config.
        memory_efficient: Whether stem and stages hold their packed input
            alone for the backward pass, see :class:`SpikingBackbone`.

    Shape:
        Images ``[N, in_channels, H, W]`` that last all steps, or frames
        ``[N, T, in_channels, H, W]``, to a tuple of ``[T, N, C_i, H / 2**(i + 1),
        W / 2**(i + 1)]`` (rounded down), i in ``out_indices``.

    Attributes:
        family: The residual family.
        out_channels: Channels of each output.
        values: What travels between blocks: ``'binary'``, ``'integer'`` or
            ``'analog'``.
        out_values: What the outputs are: ``'binary'`` or ``'integer'``.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range, or the input has another shape or is
            so small that nothing is left of it.
    """

    def __init__(
        self,
        family: str | Wiring = 'SEW-ADD',
        widths: Sequence[int] = (32,) * 5,
        num_blocks: int = 2,
        num_steps: int = 4,
        in_channels: int = 3,
        out_indices: Sequence[int] = (4,),
        neuron: Mapping[str, Any] = IF_NEURON,
        conv_cfg: Mapping[str, Any] | None = None,
        norm_cfg: Mapping[str, Any] = BATCH_NORM,
        frozen_stages: int = -1,
        norm_eval: bool = False,
        zero_init_residual: bool = False,
        init_cfg: InitCfg = None,
        memory_efficient: bool = False,
    ) -> None:
        family = get_family(family)
        widths = _check_widths(widths)
        check_positive_int('num_blocks', num_blocks)
        check_positive_int('in_channels', in_channels)
        indices = check_out_indices(out_indices, len(widths))
        layers = LayerFactory(num_steps, neuron, norm_cfg, conv_cfg)
        layers = family_layers(family, layers, zero_init_residual)
        values = family.values_in(num_blocks)
        spiking = values != 'analog'
        widths = widths[: indices[-1] + 1]
        super().__init__(
            stem=build_stem(_STEM, in_channels, widths[0], layers, spiking),
            stages=[
                _make_stage(before, width, num_blocks, family, layers)
                for before, width in zip((widths[0], *widths), widths, strict=False)
            ],
            channels=widths,
            out_indices=indices,
            values=values,
            closing=family.closing,
            layers=layers,
            frozen_stages=frozen_stages,
            norm_eval=norm_eval,
            zero_init_residual=zero_init_residual,
            init_cfg=init_cfg,
            memory_efficient=memory_efficient,
        )
        self.family = family
        self.in_channels = in_channels
