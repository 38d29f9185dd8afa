"""Two-stage detectors as functions of tensors, with NMS of proposals and of boxes."""

from collections.abc import Sequence
from typing import Any

import torch
from mmcv.ops import RoIAlign
from mmdet.models.dense_heads import RPNHead
from mmdet.models.dense_heads.base_dense_head import BaseDenseHead
from mmdet.models.roi_heads import StandardRoIHead
from mmdet.models.roi_heads.bbox_heads import BBoxHead
from mmdet.models.roi_heads.roi_extractors import SingleRoIExtractor
from torch import Tensor, nn
from torchvision.ops import roi_align

from mmsnn.utils.errors import UserError

from .dense_candidates import check_methods, clip, level_candidates, nms_settings
from .suppression import suppress


class TwoStageNetwork(nn.Module):
    """A Faster R-CNN: normalised images to boxes, scores and labels.

    ``max_per_img`` proposals of the RPN pass through the box head even if fewer remain,
    so that shapes do not depend on values; the results for missing ones are dropped.
    RoIAlign is applied to each level for all regions, and the level of each region is
    selected.

    Args:
        detector: The detector, with an ``RPNHead``, a ``StandardRoIHead``, a
            ``SingleRoIExtractor`` of RoIAlign and a ``BBoxHead``, or heads of mmsnn
            that are derived from them.

    Shape:
        See :class:`mmsnn.deploy.export.tensor_networks.SingleStageNetwork`.

    Raises:
        UserError: If a part computes its results in its own way, the detector predicts
            masks, or an NMS is not hard NMS.
    """

    outputs = ('boxes', 'scores', 'labels')
    wraps = 'detector'

    def __init__(self, detector: Any) -> None:
        super().__init__()
        self.detector = detector
        _check_parts(detector)
        rpn = detector.rpn_head.test_cfg
        self.rpn_nms = nms_settings(rpn)
        self.smallest = rpn.get('min_bbox_size', -1)
        self.settings = detector.roi_head.test_cfg
        self.nms = nms_settings(self.settings)

    def forward(
        self, images: Tensor, size: Tensor, scale: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return boxes, scores and labels."""
        features = self.detector.extract_feat(images)
        proposals, found = self._proposals(features, size)
        classes, deltas = self._box_head(features, proposals)
        boxes, scores = self._boxes(proposals, classes, deltas, size)
        confident = (scores > self.settings.score_thr) & (found > 0).unsqueeze(-1)
        scores = torch.where(confident, scores, -1.0)
        labels = torch.arange(scores.shape[-1], device=scores.device).expand_as(scores)
        boxes = (boxes / scale.repeat(2)).flatten(1, 2)
        return suppress(boxes, scores.flatten(1), labels.flatten(1), *self.nms)

    def _proposals(
        self, features: Sequence[Tensor], size: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the proposals ``[N, K, 4]`` and their scores, 0 where there is none.

        NMS compares the proposals of one level, as ``RPNHead`` does.
        """
        head = self.detector.rpn_head
        levels = level_candidates(head, head.test_cfg, features)
        boxes = clip(torch.cat([level[0] for level in levels], 1), size)
        scores = torch.cat([level[1] for level in levels], 1)
        numbers = [torch.full_like(level[2], i) for i, level in enumerate(levels)]
        if self.smallest >= 0:
            sides = boxes[..., 2:] - boxes[..., :2]
            scores = torch.where((sides > self.smallest).all(-1), scores, -1.0)
        boxes, scores, _ = suppress(boxes, scores, torch.cat(numbers, 1), *self.rpn_nms)
        return boxes, scores

    def _box_head(
        self, features: Sequence[Tensor], proposals: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return class scores and deltas of the proposals, ``[N, K, ...]``."""
        head = self.detector.roi_head
        extractor = head.bbox_roi_extractor
        images, number = proposals.shape[:2]
        image = torch.arange(images).to(proposals)[:, None, None]
        rois = torch.cat([image.expand(-1, number, 1), proposals], -1).flatten(0, 1)
        if hasattr(head, 'fold_time'):
            features = head.fold_time(features)
            rois = extractor.over_time(features, rois)
        features = features[: extractor.num_inputs]
        classes, deltas = head.bbox_head(_regions(extractor, features, rois))
        return classes.unflatten(0, (-1, number)), deltas.unflatten(0, (-1, number))

    def _boxes(
        self, proposals: Tensor, classes: Tensor, deltas: Tensor, size: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return a box and a score per proposal and class."""
        head = self.detector.roi_head.bbox_head
        scores = classes.softmax(-1)[..., :-1]
        number = scores.shape[-1]
        deltas = deltas.unflatten(-1, (-1, 4))
        deltas = deltas.expand(*deltas.shape[:2], number, 4)
        start = proposals.unsqueeze(2).expand_as(deltas)
        boxes = head.bbox_coder.decode(start.flatten(0, 2), deltas.flatten(0, 2))
        return clip(boxes.unflatten(0, (-1, proposals.shape[1], number)), size), scores


def _regions(extractor: Any, features: Sequence[Tensor], rois: Tensor) -> Tensor:
    """Return the features of the regions, each from its level."""
    cut = [
        roi_align(
            level,
            rois,
            layer.output_size,
            layer.spatial_scale,
            layer.sampling_ratio,
            layer.aligned,
        )
        for level, layer in zip(features, extractor.roi_layers, strict=True)
    ]
    numbers = extractor.map_roi_levels(rois, len(cut))[:, None, None, None]
    found = cut[0]
    for i, level in enumerate(cut[1:], 1):
        found = torch.where(numbers == i, level, found)
    return found


def _check_parts(detector: Any) -> None:
    """Check that the parts compute their results as MMDetection's do.

    Raises:
        UserError: If one does not.
    """
    if not detector.with_rpn or not detector.with_roi_head:
        raise UserError(
            f'{type(detector).__name__} cannot be exported: it has no RPN or RoI head'
        )
    head = detector.roi_head
    rpn = {'predict_by_feat': BaseDenseHead, '_predict_by_feat_single': RPNHead}
    check_methods('decodes boxes', detector.rpn_head, rpn)
    regions = {'predict_bbox': StandardRoIHead, '_bbox_forward': StandardRoIHead}
    check_methods('predicts boxes', head, regions)
    if head.with_mask or head.with_shared_head:
        part = 'masks' if head.with_mask else 'a shared head'
        raise UserError(
            f'{type(head).__name__} cannot be exported: it has {part}, but only boxes '
            'of a box head can be'
        )
    check_methods(
        'assigns levels',
        head.bbox_roi_extractor,
        {'map_roi_levels': SingleRoIExtractor},
    )
    for layer in head.bbox_roi_extractor.roi_layers:
        if not isinstance(layer, RoIAlign) or layer.pool_mode != 'avg':
            raise UserError(
                f'{type(layer).__name__} cannot be exported: regions must be cut by '
                'RoIAlign with averages'
            )
    boxes = ('predict_by_feat', '_predict_by_feat_single')
    check_methods('decodes boxes', head.bbox_head, dict.fromkeys(boxes, BBoxHead))
    if not head.bbox_head.with_reg or head.bbox_head.custom_cls_channels:
        raise UserError(
            f'{type(head.bbox_head).__name__} cannot be exported: it has other outputs '
            'than class scores and boxes'
        )


__all__ = ['TwoStageNetwork']
