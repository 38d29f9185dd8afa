"""The arguments that all spiking backbones take."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict

from mmsnn.models.layers import LayerFactory
from mmsnn.utils import check_bool, check_positive_int

InitCfg = Mapping[str, Any] | Sequence[Mapping[str, Any]] | None


class BackboneOptions(TypedDict, total=False):
    """The arguments of :class:`BackboneSettings`, for annotations of ``**options``."""

    num_steps: int
    in_channels: int
    out_indices: Sequence[int]
    neuron: Mapping[str, Any]
    conv_cfg: Mapping[str, Any] | None
    norm_cfg: Mapping[str, Any]
    frozen_stages: int
    norm_eval: bool
    init_cfg: InitCfg
    memory_efficient: bool


@dataclass(frozen=True, kw_only=True)
class BackboneSettings:
    """Keyword arguments that all spiking backbones take.

    Args:
        num_steps: Number of time steps T.
        in_channels: Channels of an image or frame.
        out_indices: Stages whose features are returned, from 0, ascending. Stages after
            the last of them are not built, since they would receive no gradient.
        neuron: Neuron config, see :func:`mmsnn.models.neurons.build_neuron`.
        conv_cfg: MMCV's convolution config; None is ``nn.Conv2d``.
        norm_cfg: MMCV's norm config.
        frozen_stages: -1 freezes nothing, 0 the stem, k the stem and the first k
            stages: no gradient, and norms in evaluation mode.
        norm_eval: Whether norms stay in evaluation mode while training.
        init_cfg: MMEngine's initialisation config. None is Kaiming for convolutions and
            leaves norms as they are built.
        memory_efficient: Whether stem, blocks and closing layers keep only their packed
            input for the backward pass and recompute the rest, see
            :class:`mmsnn.models.layers.Recomputable`. Gradients and statistics are the
            same, with a fraction of the memory and about a third more time.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range.
    """

    num_steps: int = 4
    in_channels: int = 3
    out_indices: Sequence[int] = (3,)
    neuron: Mapping[str, Any] = field(default_factory=lambda: dict(type='IF'))
    conv_cfg: Mapping[str, Any] | None = None
    norm_cfg: Mapping[str, Any] = field(
        default_factory=lambda: dict(type='BN', requires_grad=True)
    )
    frozen_stages: int = -1
    norm_eval: bool = False
    init_cfg: InitCfg = None
    memory_efficient: bool = False

    def __post_init__(self) -> None:
        """Check what does not depend on the backbone."""
        check_positive_int('num_steps', self.num_steps)
        check_positive_int('in_channels', self.in_channels)
        check_bool('norm_eval', self.norm_eval)
        check_bool('memory_efficient', self.memory_efficient)

    def layers(self) -> LayerFactory:
        """Return the layer factory."""
        return LayerFactory(self.num_steps, self.neuron, self.norm_cfg, self.conv_cfg)


__all__ = ['BackboneOptions', 'BackboneSettings', 'InitCfg']
