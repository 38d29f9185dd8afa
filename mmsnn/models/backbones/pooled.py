"""Networks whose stages end with a max-pool, with blocks of any residual family."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Unpack

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

from .base import SpikingBackbone, check_out_indices, family_layers
from .settings import BackboneOptions

_STEM = dict(type='DirectStem', kernel_size=3, stride=1, pool=False)


class PooledResNetOptions(BackboneOptions, total=False):
    """Arguments of :class:`PooledResNet` that named networks also take."""

    zero_init_residual: bool


class PooledBackbone(SpikingBackbone):
    """Base of backbones whose stages end with a 2x2 max-pool."""

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Return the features of ``out_indices``, see :class:`SpikingBackbone`.

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
    """Return a stage: a convolution if the width changes, blocks and a max-pool."""
    parts: list[tuple[str, nn.Module]] = []
    if in_channels != channels:
        # no neurons if values are analog: as after the stem, the next block has them
        order = 'CN' if wiring.values == 'analog' else 'CNS'
        parts.append(('widen', Unit(order, in_channels, channels, 1, 1, layers)))
    blocks = make_stage(BasicBlock, num_blocks, channels, channels, 1, wiring, layers)
    # a single block is not wrapped, to keep the parameter names of 7B-Net
    parts.append(('block', blocks if num_blocks > 1 else blocks[0]))
    parts.append(('pool', MaxPool2d(2)))
    return RecomputableSequential(OrderedDict(parts))


def _check_widths(widths: Sequence[int]) -> tuple[int, ...]:
    check_sequence('widths', widths, 'integers')
    if not widths:
        raise ValueError('widths must have one entry per stage, but got none')
    return tuple(check_positive_int('widths', width) for width in widths)


@MODELS.register_module()
class PooledResNet(PooledBackbone):
    """A 3x3 stem and stages of blocks, each stage ending with a 2x2 max-pool.

    The default is the network with which the SEW paper compares surrogates (Fang et al.
    2021, A.5), without its classifier, which is part of the head:
    ``c32k3s1-BN-IF-{{block(c32)}*2-MPk2s2}*5``.

    Families whose blocks exchange analog values have no neurons in the stem and where
    the width changes, pool analog values, and close each output with neurons.

    Args:
        family: Name of a family in :data:`mmsnn.models.residual.FAMILIES`, or a
            :class:`mmsnn.models.residual.Wiring`.
        widths: Channels of each stage. If the width changes, the stage begins with a
            1x1 convolution, its norm and its neurons.
        num_blocks: Number of blocks per stage.
        zero_init_residual: Whether blocks start as the identity.
        **options: Arguments of all backbones, see :class:`BackboneSettings`; the
            default of ``out_indices`` is ``(4,)``.

    Shape:
        Images ``[N, in_channels, H, W]``, repeated at all time steps, or frames
        ``[N, T, in_channels, H, W]``, to a tuple of ``[T, N, C_i, H / 2**(i + 1),
        W / 2**(i + 1)]`` (rounded down), i in ``out_indices``.

    Attributes:
        family: The residual family.
        out_channels: Channels of each output.
        values: Kind of values between blocks: ``'binary'``, ``'integer'`` or
            ``'analog'``.
        out_values: Kind of values of the outputs: ``'binary'`` or ``'integer'``.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range, or the input has another shape or is
            too small for the max-pools.
    """

    defaults = BackboneOptions(out_indices=(4,))

    def __init__(
        self,
        family: str | Wiring = 'SEW-ADD',
        widths: Sequence[int] = (32,) * 5,
        num_blocks: int = 2,
        *,
        zero_init_residual: bool = False,
        **options: Unpack[BackboneOptions],
    ) -> None:
        family = get_family(family)
        widths = _check_widths(widths)
        check_positive_int('num_blocks', num_blocks)
        settings = self.settings(options)
        indices = check_out_indices(settings.out_indices, len(widths))
        layers = family_layers(family, settings.layers(), zero_init_residual)
        values = family.values_in(num_blocks)
        spiking = values != 'analog'
        widths = widths[: indices[-1] + 1]
        super().__init__(
            settings,
            stem=build_stem(_STEM, settings.in_channels, widths[0], layers, spiking),
            stages=[
                _make_stage(before, width, num_blocks, family, layers)
                for before, width in zip((widths[0], *widths), widths, strict=False)
            ],
            channels=widths,
            out_indices=indices,
            values=values,
            closing=family.closing,
            layers=layers,
            zero_init_residual=zero_init_residual,
        )
        self.family = family
