"""7B-Net and Wide-7B-Net, the small nets for event data, of any residual family."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from mmsnn.models.layers import (
    LayerFactory,
    MaxPool2d,
    RecomputableSequential,
    Unit,
)
from mmsnn.models.residual import BasicBlock, Wiring, get_family
from mmsnn.models.stems import build_stem
from mmsnn.registry import MODELS
from mmsnn.utils import check_bool, check_positive_int

from .base import (
    BATCH_NORM,
    InitCfg,
    SpikingBackbone,
    check_out_indices,
    family_layers,
)

PLIF_NEURON: Mapping[str, Any] = dict(type='PLIF', init_tau=2.0, detach_reset=True)

WIDTHS: dict[bool, tuple[int, ...]] = {
    False: (32,) * 7,
    True: (64,) * 4 + (128,) * 3,
}
"""Channels of the seven stages, by ``wide``."""

_STEM = dict(type='DirectStem', kernel_size=3, stride=1, pool=False)


def _make_stage(
    in_channels: int, channels: int, wiring: Wiring, layers: LayerFactory
) -> RecomputableSequential:
    """Return a change of width where there is one, a block and a max-pool."""
    parts: list[tuple[str, nn.Module]] = []
    if in_channels != channels:
        # analog values stay so: like the stem, it leaves firing to the block behind it
        order = 'CN' if wiring.values == 'analog' else 'CNS'
        parts.append(('widen', Unit(order, in_channels, channels, 1, 1, layers)))
    parts.append(('block', BasicBlock(channels, channels, 1, wiring, layers)))
    parts.append(('pool', MaxPool2d(2)))
    return RecomputableSequential(OrderedDict(parts))


@MODELS.register_module()
class SevenBNet(SpikingBackbone):
    """7B-Net and Wide-7B-Net: seven blocks, each behind it a max-pool of 2.

    In the notation of the SEW paper (Fang et al. 2021, Sections 4.2 and 4.3), without
    the classifier, which is the head's:

    - 7B-Net: ``c32k3s1-BN-PLIF-{block(c32)-MPk2s2}*7``, 0.13 M parameters;
    - Wide-7B-Net: ``c64k3s1-BN-PLIF-{block(c64)-MPk2s2}*4-c128k1s1-BN-PLIF-
      {block(c128)-MPk2s2}*3``, 1.19 M parameters.

    Where the width changes the paper's text has a convolution of 3x3, c128k3s1. Its
    parameter count (with 3x3 it would be 1.26 M) and its authors' code are followed
    instead: 1x1. Their code has 1x1 for the first convolution too, which the counts do
    not tell apart; there the text is followed: 3x3.

    The paper has the families plain, Spiking and SEW; ``'SG-BSG'`` is the 7B SG ResNet
    of Zhang et al. 2023. Families whose blocks exchange analog values have no neurons
    in the stem and at the change of width, pool analog values, and end each output
    with neurons. With one block a stage, densely additive families are as those
    without the added paths: what travels is binary.

    Args:
        family: A row of :data:`mmsnn.models.residual.FAMILIES`, by name or itself.
        wide: Whether it is Wide-7B-Net.
        num_steps: Number of time steps T.
        in_channels: Channels of a frame: 2, the polarities of events.
        out_indices: Stages whose features are returned, of 0 to 6.
        neuron: Neuron config, see :func:`mmsnn.models.neurons.build_neuron`. The
            paper's (A.1) is the default: PLIF without a gradient through the reset.
        conv_cfg: MMCV's convolution config; None is ``nn.Conv2d``.
        norm_cfg: MMCV's norm config.
        frozen_stages: See :class:`SpikingBackbone`, as all that follow.
        norm_eval: Whether norms stay in evaluation mode while training.
        zero_init_residual: Whether blocks start as the identity; so shallow a net does
            not need it (SEW paper, A.3).
        init_cfg: MMEngine's initialisation config.
        memory_efficient: Whether stem and stages hold their packed input
            alone for the backward pass, see :class:`SpikingBackbone`.

    Shape:
        Frames ``[N, T, in_channels, H, W]``, or images ``[N, in_channels, H, W]`` that
        last all steps, to a tuple of ``[T, N, C_i, H / 2**(i + 1), W / 2**(i + 1)]``
        (rounded down), i in ``out_indices``: of 128 x 128 pixels the last is 1 x 1.

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
        wide: bool = False,
        num_steps: int = 16,
        in_channels: int = 2,
        out_indices: Sequence[int] = (6,),
        neuron: Mapping[str, Any] = PLIF_NEURON,
        conv_cfg: Mapping[str, Any] | None = None,
        norm_cfg: Mapping[str, Any] = BATCH_NORM,
        frozen_stages: int = -1,
        norm_eval: bool = False,
        zero_init_residual: bool = False,
        init_cfg: InitCfg = None,
        memory_efficient: bool = False,
    ) -> None:
        family = get_family(family)
        widths = WIDTHS[check_bool('wide', wide)]
        check_positive_int('in_channels', in_channels)
        indices = check_out_indices(out_indices, len(widths))
        layers = LayerFactory(num_steps, neuron, norm_cfg, conv_cfg)
        layers = family_layers(family, layers, zero_init_residual)
        values = family.values_in(1)
        spiking = values != 'analog'
        widths = widths[: indices[-1] + 1]
        super().__init__(
            stem=build_stem(_STEM, in_channels, widths[0], layers, spiking),
            stages=[
                _make_stage(before, width, family, layers)
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
        self.wide = wide
        self.in_channels = in_channels

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
