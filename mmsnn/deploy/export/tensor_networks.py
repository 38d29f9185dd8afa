"""Networks as functions of tensors, with decoding and NMS, for exporters.

MMDetection's ``predict`` works on lists of data samples, with shapes that depend on
values. These modules compute the same results from tensors of fixed rank.
"""

from typing import Any

import torch
from mmdet.models.dense_heads.base_dense_head import BaseDenseHead
from mmdet.models.detectors import SingleStageDetector
from torch import Tensor, nn

from mmsnn.utils.errors import UserError

from .suppression import suppress


def as_tensor_network(model: nn.Module) -> nn.Module:
    """Return a network whose inputs and outputs are tensors.

    Args:
        model: A single-stage detector whose head decodes as ``BaseDenseHead`` does
            (RetinaNet, FCOS, ATSS), Faster R-CNN, a classifier of MMPretrain, or any
            other network of images, such as a bare backbone.

    Raises:
        UserError: If it is another kind of model.
    """
    if isinstance(model, SingleStageDetector):
        return SingleStageNetwork(model)
    if hasattr(model, 'head') and hasattr(model, 'extract_feat'):
        return ClassifierNetwork(model)
    raise UserError(
        f'{type(model).__name__} cannot be exported: it is neither a single-stage '
        'detector nor a classifier'
    )


def is_detector(network: nn.Module) -> bool:
    """Return whether a tensor network takes ``size`` and ``scale`` after the images."""
    return 'boxes' in getattr(network, 'outputs', ())


class ClassifierNetwork(nn.Module):
    """A classifier of MMPretrain: normalised images to class probabilities ``[N, K]``.

    Args:
        model: The classifier.
    """

    outputs = ('probabilities',)

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """Return the probabilities."""
        scores = self.model.head(self.model.extract_feat(images))
        return scores.softmax(-1)


class SingleStageNetwork(nn.Module):
    """A single-stage detector: normalised images to boxes, scores and labels.

    Args:
        detector: The detector, whose ``test_cfg`` holds the settings of NMS.

    Shape:
        Images ``[N, C, H, W]``; ``size``, ``[2]``, height and width of the pictures
        without padding; ``scale``, ``[2]``, factors of width and height by which they
        were resized. Boxes ``[N, K, 4]`` in pixels of the original pictures, scores
        ``[N, K]`` in descending order, labels ``[N, K]``; K is ``max_per_img``, and
        where there are fewer detections the score is 0 and the label -1.

    Raises:
        UserError: If the head decodes in its own way, or the NMS is not hard NMS.
    """

    outputs = ('boxes', 'scores', 'labels')

    def __init__(self, detector: Any) -> None:
        super().__init__()
        self.detector = detector
        head = detector.bbox_head
        for name in ('predict_by_feat', '_predict_by_feat_single'):
            if getattr(type(head), name, None) is not getattr(BaseDenseHead, name):
                raise UserError(
                    f'{type(head).__name__} cannot be exported: it decodes boxes with '
                    f'its own {name}'
                )
        self.settings = head.test_cfg
        self.nms = nms_settings(head.test_cfg)

    def forward(
        self, images: Tensor, size: Tensor, scale: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return boxes, scores and labels."""
        features = self.detector.extract_feat(images)
        boxes, scores, labels = self._candidates(features)
        boxes = clip(boxes, size) / scale.repeat(2)
        smallest = self.settings.get('min_bbox_size', -1)
        if smallest >= 0:
            sides = boxes[..., 2:] - boxes[..., :2]
            scores = torch.where((sides > smallest).all(-1), scores, -1.0)
        return suppress(boxes, scores, labels, *self.nms)

    def _candidates(self, features: Any) -> tuple[Tensor, Tensor, Tensor]:
        """Return the best ``nms_pre`` candidates of each level, not clipped.

        The scores of those below ``score_thr`` are -1.
        """
        head = self.detector.bbox_head
        classes, distances, *factors = head(features)
        sizes = [level.shape[-2:] for level in classes]
        priors = head.prior_generator.grid_priors(
            sizes, dtype=classes[0].dtype, device=classes[0].device
        )
        levels = [
            self._level(*level)
            for level in zip(
                classes,
                distances,
                priors,
                factors[0] if factors else [None] * len(sizes),
                strict=True,
            )
        ]
        boxes, scores, labels = (
            torch.cat(parts, 1) for parts in zip(*levels, strict=True)
        )
        return boxes, scores, labels

    def _level(
        self, classes: Tensor, distances: Tensor, priors: Tensor, factor: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        head = self.detector.bbox_head
        num_classes = head.cls_out_channels
        if head.use_sigmoid_cls:
            scores = _flatten(classes, num_classes).sigmoid()
        else:
            scores = _flatten(classes, num_classes).softmax(-1)[..., :-1]
            num_classes -= 1
        scores = scores.flatten(1)
        limit = self.settings.get('nms_pre', -1)
        number = scores.shape[1]
        if limit > 0:
            number = torch.sym_min(limit, number)
        scores, places = scores.topk(number)
        anchors, labels = places // num_classes, places % num_classes
        dimensions = head.bbox_coder.encode_size
        chosen = take(_flatten(distances, dimensions), anchors)
        boxes = head.bbox_coder.decode(
            priors[anchors].flatten(0, 1), chosen.flatten(0, 1)
        ).unflatten(0, (-1, number))
        confident = scores > self.settings.get('score_thr', 0)
        if factor is not None:
            scores = scores * take(_flatten(factor, 1), anchors).squeeze(-1).sigmoid()
        return boxes, torch.where(confident, scores, -1.0), labels


def nms_settings(settings: Any) -> tuple[float, bool, int]:
    """Return IoU threshold, whether classes compete, and how many boxes are kept.

    Raises:
        UserError: If it is another algorithm than hard NMS.
    """
    nms = dict(settings.nms)
    kind = nms.get('type', 'nms')
    if kind != 'nms':
        raise UserError(f"test_cfg.nms.type must be 'nms' to export, but got {kind!r}")
    threshold = float(nms.get('iou_threshold') or nms['iou_thr'])
    return threshold, nms.get('class_agnostic', False), settings.max_per_img


def clip(boxes: Tensor, size: Tensor) -> Tensor:
    """Return boxes ``[..., 4]`` clipped to a height and width ``[2]``."""
    limit = size.flip(0).repeat(2)
    return torch.minimum(boxes.clamp(min=0), limit)


def take(values: Tensor, places: Tensor) -> Tensor:
    """Return rows of ``[N, M, D]`` at the places ``[N, K]``, as ``[N, K, D]``."""
    index = places.unsqueeze(-1).expand(-1, -1, values.shape[-1])
    return values.gather(1, index)


def _flatten(x: Tensor, channels: int) -> Tensor:
    """Return ``[N, A * channels, H, W]`` as ``[N, H * W * A, channels]``."""
    return x.permute(0, 2, 3, 1).reshape(x.shape[0], -1, channels)


__all__ = [
    'ClassifierNetwork',
    'SingleStageNetwork',
    'as_tensor_network',
    'clip',
    'is_detector',
    'nms_settings',
    'take',
]
