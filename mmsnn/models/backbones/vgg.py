"""Spiking VGG: convolutions, norms and neurons in a plain sequence."""

from collections.abc import Mapping
from typing import Any, Unpack

from mmsnn.models.layers import MaxPool2d, RecomputableSequential, Unit
from mmsnn.models.stems import build_stem
from mmsnn.registry import MODELS
from mmsnn.utils import check_choice, check_positive_int

from .base import check_out_indices, values_after
from .pooled import PooledBackbone
from .settings import BackboneOptions

NUM_CONVS: dict[int, tuple[int, ...]] = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}
"""Convolutions of each stage, by depth (Simonyan and Zisserman 2015, Table 1)."""

WIDTHS = (1, 2, 4, 8, 8)
"""Channels of each stage, in multiples of ``base_channels``."""


@MODELS.register_module()
class VGGSNN(PooledBackbone):
    """A spiking VGG without its classifier, which is part of the head.

    ``{conv3x3-BN-neuron}*n-MPk2s2`` five times (Simonyan and Zisserman 2015, with a
    norm after each convolution); the first convolution is the stem's.

    Args:
        depth: 11, 13, 16 or 19, which includes three linear layers of a classifier.
        base_channels: Channels of the stem and of the first stage.
        stem: ``'cifar'`` or a stem's config, see
            :func:`mmsnn.models.stems.build_stem`.
        **options: Arguments of all backbones, see :class:`BackboneSettings`; the
            default of ``out_indices`` is ``(4,)``.

    Shape:
        Images ``[N, in_channels, H, W]``, or frames ``[N, T, in_channels, H, W]``, to a
        tuple of ``[T, N, C_i, H / 2**(i + 1), W / 2**(i + 1)]`` (rounded down), i in
        ``out_indices``.

    Attributes:
        depth: The depth.
        out_channels: Channels of each output.
        values: Kind of values between layers: ``'binary'``, or ``'analog'`` if the
            stem is graded and the first stage has no other convolution (depth 11).

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range, or the input has another shape or is
            too small for the max-pools.
    """

    defaults = BackboneOptions(out_indices=(4,))

    def __init__(
        self,
        depth: int,
        *,
        base_channels: int = 64,
        stem: str | Mapping[str, Any] = 'cifar',
        **options: Unpack[BackboneOptions],
    ) -> None:
        check_choice('depth', depth, NUM_CONVS)
        settings = self.settings(options)
        check_positive_int('base_channels', base_channels)
        indices = check_out_indices(settings.out_indices, len(WIDTHS))
        layers = settings.layers()
        widths = [base_channels * width for width in WIDTHS[: indices[-1] + 1]]
        # the stem is the first stage's first convolution
        numbers = (NUM_CONVS[depth][0] - 1, *NUM_CONVS[depth][1:])
        stages = []
        for before, width, number in zip(
            (base_channels, *widths), widths, numbers, strict=False
        ):
            inputs = [before, *[width] * number]
            units = [Unit('CNS', inputs[i], width, 3, 1, layers) for i in range(number)]
            stages.append(RecomputableSequential(*units, MaxPool2d(2)))
        built_stem = build_stem(stem, settings.in_channels, base_channels, layers)
        super().__init__(
            settings,
            stem=built_stem,
            stages=stages,
            channels=widths,
            out_indices=indices,
            values=values_after(built_stem, 'binary', carried=numbers[0] == 0),
            closing='',
            layers=layers,
        )
        self.depth = depth
