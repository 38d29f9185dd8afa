"""Spiking ResNet, with the residual family as an argument."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Unpack

from mmsnn.models.residual import (
    BasicBlock,
    Bottleneck,
    ResidualBlock,
    Wiring,
    get_family,
    make_stage,
)
from mmsnn.models.stems import build_stem
from mmsnn.registry import MODELS
from mmsnn.utils import check_bool, check_choice, check_positive_int, check_sequence

from .base import (
    SpikingBackbone,
    check_out_indices,
    family_layers,
    values_after,
)
from .settings import BackboneOptions


@dataclass(frozen=True)
class Architecture:
    """Kind, number and width of the blocks in a ResNet's stages.

    Args:
        block: Class of the blocks.
        num_blocks: Number of blocks in each stage.
        widths: Channels of each stage's 3x3 convolutions, in multiples of
            ``base_channels``.
        linear_layers: Number of linear layers in the classifier, which count in the
            depth.

    Raises:
        ValueError: If there are no stages, or not one width per stage.
    """

    block: type[ResidualBlock]
    num_blocks: tuple[int, ...]
    widths: tuple[int, ...] = (1, 2, 4, 8)
    linear_layers: int = 1

    def __post_init__(self) -> None:
        """Check that there is one width per stage."""
        if not self.num_blocks or len(self.num_blocks) != len(self.widths):
            raise ValueError(
                'num_blocks and widths must have one entry per stage, '
                f'but got {self.num_blocks} and {self.widths}'
            )
        for number in (*self.num_blocks, *self.widths):
            check_positive_int('num_blocks and widths', number)

    @property
    def depth(self) -> int:
        """Number of layers with weights, in the stem, the branches and a classifier."""
        shapes = self.block.conv_shapes(1, 1, 1)
        return 1 + sum(self.num_blocks) * len(shapes) + self.linear_layers


ARCHITECTURES = {
    10: Architecture(BasicBlock, (1, 1, 1, 1)),
    18: Architecture(BasicBlock, (2, 2, 2, 2)),
    19: Architecture(BasicBlock, (3, 3, 2), (1, 2, 4), linear_layers=2),
    34: Architecture(BasicBlock, (3, 4, 6, 3)),
    50: Architecture(Bottleneck, (3, 4, 6, 3)),
    101: Architecture(Bottleneck, (3, 4, 23, 3)),
    104: Architecture(BasicBlock, (3, 8, 32, 8)),
    152: Architecture(Bottleneck, (3, 8, 36, 3)),
}
"""Architectures by depth (He et al. 2016; 10: SG paper, Table 1; 19: Zheng et al. 2021;
104: MS-ResNet)."""

STRIDES = (1, 2, 2, 2)


class ResNetOptions(BackboneOptions, total=False):
    """Arguments of :class:`ResNetSNN` that all named networks also take."""

    base_channels: int
    strides: Sequence[int]
    avg_down: bool
    stem: str | Mapping[str, Any]
    zero_init_residual: bool


def _check_strides(strides: Sequence[int], num_stages: int) -> tuple[int, ...]:
    check_sequence('strides', strides, 'integers')
    if len(strides) != num_stages:
        raise ValueError(
            f'strides must have {num_stages} entries, one per stage, '
            f'but got {list(strides)}'
        )
    return tuple(check_positive_int('strides', stride) for stride in strides)


@MODELS.register_module()
class ResNetSNN(SpikingBackbone):
    """A spiking ResNet of any residual family.

    Families whose blocks exchange analog values have no neurons in the stem. Their
    output stages are closed by neurons (after a norm, if their blocks begin with one),
    so that decoders receive spikes.

    Args:
        depth: 10, 18, 34, 104 (basic blocks), 50, 101 or 152 (bottlenecks), 19 (basic
            blocks in three stages, for small images), or a custom
            :class:`Architecture`.
        family: Name of a family in :data:`mmsnn.models.residual.FAMILIES`, or a
            :class:`mmsnn.models.residual.Wiring`.
        base_channels: Channels of the stem and of the first stage's 3x3 convolutions.
        strides: Downsampling factor of each stage.
        avg_down: Whether projections downsample by average pooling before their
            convolution instead of by its stride, as in MMDetection's ResNet.
        stem: ``'imagenet'``, ``'cifar'``, ``'ms'``, ``'ms104'`` or a stem's config, see
            :func:`mmsnn.models.stems.build_stem`.
        zero_init_residual: Whether blocks start as the identity (SEW paper, Section
            3.3): the last norm of their branch is zeroed, or its last convolution if no
            norm follows it; for AND, the branch starts firing at every time step.
        **options: Arguments of all backbones, see :class:`BackboneSettings`. Norm
            weights start at 1, or at the threshold if the family has
            ``threshold_norm``.

    Shape:
        Images ``[N, in_channels, H, W]``, or frames ``[N, T, in_channels, H, W]``, to a
        tuple of ``[T, N, C_i, H / s_i, W / s_i]``, one for each of ``out_indices``,
        ``s_i`` = 4, 8, 16, 32 with the ImageNet stem.

    Attributes:
        family: The residual family.
        out_channels: Channels of each output.
        values: Kind of values between blocks: ``'binary'``, ``'integer'`` or
            ``'analog'``.
        out_values: Kind of values of the outputs: ``'binary'``, ``'integer'``, or
            ``'analog'`` after a graded stem without closing neurons.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range, or the image has other channels.
    """

    choices: ClassVar[Mapping[str, str]] = {}
    """Family by value of the second argument, which selects it in named networks."""

    def __init__(
        self,
        depth: int | Architecture,
        family: str | Wiring,
        *,
        base_channels: int = 64,
        strides: Sequence[int] = STRIDES,
        avg_down: bool = False,
        stem: str | Mapping[str, Any] = 'imagenet',
        zero_init_residual: bool = False,
        **options: Unpack[BackboneOptions],
    ) -> None:
        if not isinstance(depth, Architecture):
            check_choice('depth', depth, ARCHITECTURES)
            depth = ARCHITECTURES[depth]
        family = get_family(family)
        settings = self.settings(options)
        check_positive_int('base_channels', base_channels)
        check_bool('avg_down', avg_down)
        strides = _check_strides(strides, len(depth.num_blocks))
        indices = check_out_indices(settings.out_indices, len(depth.num_blocks))

        layers = family_layers(family, settings.layers(), zero_init_residual)
        num_blocks = depth.num_blocks[: indices[-1] + 1]
        values = family.values_in(max(num_blocks))
        spiking = values != 'analog'
        channels = [base_channels]
        stages = []
        for i, number in enumerate(num_blocks):
            width = base_channels * depth.widths[i]
            shape = (number, channels[-1], width, strides[i])
            stages.append(make_stage(depth.block, *shape, family, layers, avg_down))
            channels.append(width * depth.block.expansion)
        built_stem = build_stem(
            stem, settings.in_channels, base_channels, layers, spiking
        )
        carried = family.merge is not None and not family.post
        values = values_after(built_stem, values, carried)
        super().__init__(
            settings,
            stem=built_stem,
            stages=stages,
            channels=channels[1:],
            out_indices=indices,
            values=values,
            closing=family.closing,
            layers=layers,
            zero_init_residual=zero_init_residual,
        )
        self.architecture = depth
        self.depth = depth.depth
        self.family = family
