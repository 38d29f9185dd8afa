"""Grad-CAM of what a detector or classifier predicts for an image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from mmsnn.analysis.predictions import Detections
from mmsnn.analysis.recorders.one_image import InputImage
from mmsnn.utils.errors import UserError

from .maps import GradCAM, LayerCam
from .targets import find_target


@dataclass(frozen=True, eq=False)
class ImageCam:
    """Grad-CAM of a class or box for one image.

    Attributes:
        image: The image.
        category: Label of the class.
        score: Score of the class or box; the sum over the boxes if there are several.
        boxes: The boxes of a detector to which the maps belong; None for a classifier.
        layers: The maps of each layer.
    """

    image: InputImage
    category: int
    score: float
    boxes: Detections | None
    layers: tuple[LayerCam, ...]


def explain_prediction(
    model: nn.Module,
    batch: Mapping[str, Any],
    layers: str | Sequence[str] = 'backbone',
    category: int | None = None,
    box: int | None = None,
) -> ImageCam:
    """Return the Grad-CAM of what a detector or classifier predicts for an image.

    For a classifier, the score is the logit of a class. For a detector, it is the score
    of a box after the sigmoid or softmax, or the sum of the scores of the boxes of a
    class.

    Args:
        model: A model of MMDetection or MMPretrain in eval mode.
        batch: The input of its ``test_step``, with one image.
        layers: See :class:`GradCAM`; by default, the features of the backbone.
        category: Label of the class; by default, the one with the highest score.
        box: Index of a box of a detector in descending order of scores, from 0; not
            together with ``category``. By default, it is 0.

    Raises:
        UserError: If the model predicts no such class or box, or the layers do not fit.
    """
    if None not in (category, box):
        raise UserError(
            f'give a class or a box, but got class {category} and box {box}'
        )
    with GradCAM(model, layers) as cam, torch.enable_grad():
        target = find_target(cam.model, batch, category, box)
        maps = cam.result(target.value)
        image, _ = cam.seen(cam.layers)
    return ImageCam(image, target.category, target.score, target.boxes, maps)


__all__ = ['ImageCam', 'explain_prediction']
