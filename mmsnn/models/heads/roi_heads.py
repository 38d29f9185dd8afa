"""Regions and the box head of two-stage detectors, over time steps."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmdet.models.roi_heads import StandardRoIHead
from mmdet.models.roi_heads.bbox_heads import Shared2FCBBoxHead
from mmdet.models.roi_heads.roi_extractors import SingleRoIExtractor
from torch import Tensor, nn

from mmsnn.models.decoders.neck import RATE
from mmsnn.models.layers import IF_NEURON, fold_steps
from mmsnn.models.neurons import BaseNeuron, build_neuron, current_steps
from mmsnn.registry import MODELS
from mmsnn.utils import check_positive_int

from .readout import SpikingReadout


@MODELS.register_module()
class SpikingRoIExtractor(SingleRoIExtractor):
    """MMDetection's ``SingleRoIExtractor`` of currents over time steps.

    Each region is cut from the currents of every time step, so that currents are
    interpolated, not spikes.

    Args:
        *args: Arguments of MMDetection's extractor.
        num_steps: Number of time steps T.
        **options: Further arguments of MMDetection's extractor.

    Shape:
        Currents ``[T * N, C, H_i, W_i]`` and regions ``[R, 5]`` to
        ``[T * R, C, h, w]``.
    """

    def __init__(self, *args: Any, num_steps: int = 4, **options: Any) -> None:
        super().__init__(*args, **options)
        self.num_steps = check_positive_int('num_steps', num_steps)

    def forward(
        self,
        feats: Sequence[Tensor],
        rois: Tensor,
        roi_scale_factor: float | None = None,
    ) -> Tensor:
        """Return the currents of the regions."""
        # MMCV's RoIAlign assumes contiguous memory, but spiking necks return
        # channels-last currents
        feats = [level.contiguous() for level in feats]
        return super().forward(feats, self.over_time(feats, rois), roi_scale_factor)

    def over_time(self, feats: Sequence[Tensor], rois: Tensor) -> Tensor:
        """Return the regions at every time step, ``[T * R, 5]``."""
        num_steps = current_steps(self.num_steps)
        num_images = feats[0].shape[0] // num_steps
        steps = []
        for step in range(num_steps):
            shifted = rois.clone()
            shifted[:, 0] += step * num_images
            steps.append(shifted)
        return torch.cat(steps)


@MODELS.register_module()
class SpikingRoIHead(StandardRoIHead):
    """MMDetection's ``StandardRoIHead`` of currents over time steps.

    It takes a :class:`SpikingRoIExtractor` and a :class:`SpikingShared2FCBBoxHead`. The
    arguments are MMDetection's.

    Shape:
        Currents ``[T, N, C, H_i, W_i]`` of each level.
    """

    def loss(self, x: Sequence[Tensor], *args: Any) -> dict[str, Tensor]:
        """Return MMDetection's losses."""
        return super().loss(self.fold_time(x), *args)

    def predict(self, x: Sequence[Tensor], *args: Any, **options: Any) -> Any:
        """Return MMDetection's predictions."""
        return super().predict(self.fold_time(x), *args, **options)

    def forward(self, x: Sequence[Tensor], *args: Any) -> Any:
        """Return MMDetection's outputs."""
        return super().forward(self.fold_time(x), *args)

    def fold_time(self, x: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Return each level as ``[T * N, C, H_i, W_i]``."""
        name, steps = type(self).__name__, self.bbox_roi_extractor.num_steps
        return tuple(fold_steps(name, level, steps) for level in x)


@MODELS.register_module()
class SpikingShared2FCBBoxHead(Shared2FCBBoxHead):
    """MMDetection's ``Shared2FCBBoxHead`` with spikes before every linear layer.

    The last layers follow neurons and the mean over time, see :class:`SpikingReadout`.

    Args:
        *args: Arguments of MMDetection's head.
        num_steps: Number of time steps T.
        neuron: Neuron config, see :func:`mmsnn.models.neurons.build_neuron`.
        decoder: Decoder config of the last layers.
        **options: Further arguments of MMDetection's head.

    Shape:
        Currents ``[T * R, C, h, w]`` to MMDetection's outputs for R regions.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        *args: Any,
        num_steps: int = 4,
        neuron: Mapping[str, Any] = IF_NEURON,
        decoder: Mapping[str, Any] = RATE,
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        self.num_steps = check_positive_int('num_steps', num_steps)
        self.relu = nn.Identity()
        for i, linear in enumerate(self.shared_fcs):
            linear.folded_steps = num_steps
            neurons = build_neuron(neuron, num_steps)
            self.shared_fcs[i] = nn.Sequential(neurons, linear)
        for name in ('fc_cls', 'fc_reg'):
            layer = getattr(self, name, None)
            if layer is not None:
                settings = (layer.in_features, num_steps, neuron, decoder)
                setattr(self, name, SpikingReadout(layer, *settings))
        for module in self.modules():
            if isinstance(module, BaseNeuron):
                module.of_regions = True


__all__ = ['SpikingRoIExtractor', 'SpikingRoIHead', 'SpikingShared2FCBBoxHead']
