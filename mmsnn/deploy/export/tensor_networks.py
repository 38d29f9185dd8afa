"""Networks as functions of tensors, with decoding and NMS, for exporters.

MMDetection's ``predict`` works on lists of data samples, with shapes that depend on
values. These modules compute the same results from tensors of fixed rank.
"""

from typing import Any

import torch
from mmdet.models.dense_heads.base_dense_head import BaseDenseHead
from mmdet.models.detectors import SingleStageDetector, TwoStageDetector
from torch import Tensor, nn

from mmsnn.utils.errors import UserError

from .dense_candidates import check_methods, clip, level_candidates, nms_settings
from .suppression import suppress
from .two_stage_network import TwoStageNetwork


def as_tensor_network(model: nn.Module) -> nn.Module:
    """Return a network whose inputs and outputs are tensors.

    Args:
        model: A single-stage detector whose head decodes as ``BaseDenseHead`` does
            (RetinaNet, FCOS, ATSS), a Faster R-CNN, or a classifier of MMPretrain.

    Raises:
        UserError: If it is another kind of model.
    """
    if isinstance(model, SingleStageDetector):
        return SingleStageNetwork(model)
    if isinstance(model, TwoStageDetector):
        return TwoStageNetwork(model)
    if hasattr(model, 'head') and hasattr(model, 'extract_feat'):
        return ClassifierNetwork(model)
    raise UserError(
        f'{type(model).__name__} cannot be exported: it is neither a single- or '
        'two-stage detector nor a classifier'
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
    wraps = 'model'

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
    wraps = 'detector'

    def __init__(self, detector: Any) -> None:
        super().__init__()
        self.detector = detector
        head = detector.bbox_head
        methods = ('predict_by_feat', '_predict_by_feat_single')
        check_methods('decodes boxes', head, dict.fromkeys(methods, BaseDenseHead))
        self.settings = head.test_cfg
        self.nms = nms_settings(head.test_cfg)

    def forward(
        self, images: Tensor, size: Tensor, scale: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return boxes, scores and labels."""
        features = self.detector.extract_feat(images)
        levels = level_candidates(self.detector.bbox_head, self.settings, features)
        boxes, scores, labels = (
            torch.cat(parts, 1) for parts in zip(*levels, strict=True)
        )
        boxes = clip(boxes, size) / scale.repeat(2)
        smallest = self.settings.get('min_bbox_size', -1)
        if smallest >= 0:
            sides = boxes[..., 2:] - boxes[..., :2]
            scores = torch.where((sides > smallest).all(-1), scores, -1.0)
        return suppress(boxes, scores, labels, *self.nms)


def example_inputs(network: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """Return examples of the inputs of a tensor network by their names.

    Args:
        network: What :func:`as_tensor_network` returns.
        images: Images as the data preprocessor returns them.
    """
    if not is_detector(network):
        return dict(images=images)
    height, width = images.shape[-2:]
    size = torch.tensor([float(height), float(width)])
    return dict(images=images, size=size, scale=torch.ones(2))


__all__ = [
    'ClassifierNetwork',
    'SingleStageNetwork',
    'as_tensor_network',
    'example_inputs',
]
