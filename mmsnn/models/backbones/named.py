"""The spiking ResNets by the names their papers gave them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from mmsnn.models.residual import FAMILIES, LearnedGateMerge
from mmsnn.registry import MODELS
from mmsnn.utils import check_choice

from .resnet import BATCH_NORM, IF_NEURON, ResNetSNN


@MODELS.register_module()
class SGResNet(ResNetSNN):
    """Spiking gate ResNet: binary from end to end (Zhang et al. 2023).

    Args:
        depth: See :class:`ResNetSNN`.
        gate: ``'BSG'`` (the residual spike is its own gate) or ``'BSG*'`` (learned).
        gate_threshold: The learned gate's threshold, in (0, 1].
        num_steps: See :class:`ResNetSNN`, as all that follow.
        in_channels: Channels of the image.
        base_channels: Channels of the stem.
        out_indices: Stages whose features are returned.
        stem: ``'imagenet'``, ``'cifar'`` or a stem's config.
        neuron: Neuron config.
        conv_cfg: MMCV's convolution config.
        norm_cfg: MMCV's norm config.
        frozen_stages: Stages without training.
        norm_eval: Whether norms stay in evaluation mode while training.
        zero_init_residual: Whether blocks start as the identity.
        init_cfg: MMEngine's initialisation config.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        depth: int,
        gate: str = 'BSG',
        gate_threshold: float = 0.5,
        num_steps: int = 4,
        in_channels: int = 3,
        base_channels: int = 64,
        out_indices: Sequence[int] = (3,),
        stem: str | Mapping[str, Any] = 'imagenet',
        neuron: Mapping[str, Any] = IF_NEURON,
        conv_cfg: Mapping[str, Any] | None = None,
        norm_cfg: Mapping[str, Any] = BATCH_NORM,
        frozen_stages: int = -1,
        norm_eval: bool = False,
        zero_init_residual: bool = False,
        init_cfg: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        check_choice('gate', gate, ('BSG', 'BSG*'))
        family = FAMILIES[f'SG-{gate}']
        if gate == 'BSG*':
            learned = partial(LearnedGateMerge, threshold=gate_threshold)
            family = replace(family, merge=learned)
        super().__init__(
            depth,
            family,
            num_steps=num_steps,
            in_channels=in_channels,
            base_channels=base_channels,
            out_indices=out_indices,
            stem=stem,
            neuron=neuron,
            conv_cfg=conv_cfg,
            norm_cfg=norm_cfg,
            frozen_stages=frozen_stages,
            norm_eval=norm_eval,
            zero_init_residual=zero_init_residual,
            init_cfg=init_cfg,
        )


@MODELS.register_module()
class SEWResNet(ResNetSNN):
    """Spike-element-wise ResNet (Fang et al. 2021).

    Args:
        depth: See :class:`ResNetSNN`.
        connect: ``'ADD'`` (integers travel between blocks), ``'AND'`` or ``'IAND'``
            (spikes do).
        num_steps: See :class:`ResNetSNN`, as all that follow.
        in_channels: Channels of the image.
        base_channels: Channels of the stem.
        out_indices: Stages whose features are returned.
        stem: ``'imagenet'``, ``'cifar'`` or a stem's config.
        neuron: Neuron config.
        conv_cfg: MMCV's convolution config.
        norm_cfg: MMCV's norm config.
        frozen_stages: Stages without training.
        norm_eval: Whether norms stay in evaluation mode while training.
        zero_init_residual: Whether blocks start as the identity.
        init_cfg: MMEngine's initialisation config.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        depth: int,
        connect: str = 'ADD',
        num_steps: int = 4,
        in_channels: int = 3,
        base_channels: int = 64,
        out_indices: Sequence[int] = (3,),
        stem: str | Mapping[str, Any] = 'imagenet',
        neuron: Mapping[str, Any] = IF_NEURON,
        conv_cfg: Mapping[str, Any] | None = None,
        norm_cfg: Mapping[str, Any] = BATCH_NORM,
        frozen_stages: int = -1,
        norm_eval: bool = False,
        zero_init_residual: bool = False,
        init_cfg: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        check_choice('connect', connect, ('ADD', 'AND', 'IAND'))
        super().__init__(
            depth,
            FAMILIES[f'SEW-{connect}'],
            num_steps=num_steps,
            in_channels=in_channels,
            base_channels=base_channels,
            out_indices=out_indices,
            stem=stem,
            neuron=neuron,
            conv_cfg=conv_cfg,
            norm_cfg=norm_cfg,
            frozen_stages=frozen_stages,
            norm_eval=norm_eval,
            zero_init_residual=zero_init_residual,
            init_cfg=init_cfg,
        )
