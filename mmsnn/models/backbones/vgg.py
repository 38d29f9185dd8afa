"""Spiking VGG: convolutions, norms and neurons in a plain sequence."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmsnn.models.layers import LayerFactory, MaxPool2d, RecomputableSequential, Unit
from mmsnn.models.stems import build_stem
from mmsnn.registry import MODELS
from mmsnn.utils import check_choice, check_positive_int

from .base import BATCH_NORM, IF_NEURON, InitCfg, check_out_indices
from .pooled import PooledBackbone

NUM_CONVS: dict[int, tuple[int, ...]] = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}
"""Convolutions of each stage, by depth (Simonyan and Zisserman 2015, Table 1)."""

WIDTHS = (1, 2, 4, 8, 8)
"""Channels of each stage, in ``base_channels``."""


@MODELS.register_module()
class VGGSNN(PooledBackbone):
    """A spiking VGG without its classifier, whose linear layers are the head's.

    ``{conv3x3-BN-neuron}*n-MPk2s2`` five times (Simonyan and Zisserman 2015, with a
    norm after each convolution); the first convolution is the stem's.

    Args:
        depth: 11, 13, 16 or 19, which counts three linear layers of a classifier.
        num_steps: Number of time steps T.
        in_channels: Channels of the image.
        base_channels: Channels of the stem and of the first stage.
        out_indices: Stages whose features are returned, of 0 to 4.
        stem: ``'cifar'`` or a stem's config, see
            :func:`mmsnn.models.stems.build_stem`.
        neuron: Neuron config, see :func:`mmsnn.models.neurons.build_neuron`.
        conv_cfg: MMCV's convolution config; None is ``nn.Conv2d``.
        norm_cfg: MMCV's norm config.
        frozen_stages: See :class:`SpikingBackbone`, as all that follow.
        norm_eval: Whether norms stay in evaluation mode while training.
        init_cfg: MMEngine's initialisation config.
        memory_efficient: Whether stem and stages hold their packed input
            alone for the backward pass, see :class:`SpikingBackbone`.

    Shape:
        Images ``[N, in_channels, H, W]``, or frames ``[N, T, in_channels, H, W]``, to a
        tuple of ``[T, N, C_i, H / 2**(i + 1), W / 2**(i + 1)]`` (rounded down), i in
        ``out_indices``.

    Attributes:
        depth: The depth.
        out_channels: Channels of each output.
        values: What travels between layers: ``'binary'``.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range, or the input has another shape or is
            so small that nothing is left of it.
    """

    def __init__(
        self,
        depth: int,
        num_steps: int = 4,
        in_channels: int = 3,
        base_channels: int = 64,
        out_indices: Sequence[int] = (4,),
        stem: str | Mapping[str, Any] = 'cifar',
        neuron: Mapping[str, Any] = IF_NEURON,
        conv_cfg: Mapping[str, Any] | None = None,
        norm_cfg: Mapping[str, Any] = BATCH_NORM,
        frozen_stages: int = -1,
        norm_eval: bool = False,
        init_cfg: InitCfg = None,
        memory_efficient: bool = False,
    ) -> None:
        check_choice('depth', depth, NUM_CONVS)
        check_positive_int('in_channels', in_channels)
        check_positive_int('base_channels', base_channels)
        indices = check_out_indices(out_indices, len(WIDTHS))
        layers = LayerFactory(num_steps, neuron, norm_cfg, conv_cfg)
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
        super().__init__(
            stem=build_stem(stem, in_channels, base_channels, layers),
            stages=stages,
            channels=widths,
            out_indices=indices,
            values='binary',
            closing='',
            layers=layers,
            frozen_stages=frozen_stages,
            norm_eval=norm_eval,
            zero_init_residual=False,
            init_cfg=init_cfg,
            memory_efficient=memory_efficient,
        )
        self.depth = depth
        self.in_channels = in_channels
