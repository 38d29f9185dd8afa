"""What a detector or a classifier predicts for one image, as arrays."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch


@dataclass(frozen=True, eq=False)
class Detections:
    """Boxes of an image in descending order of their scores.

    Attributes:
        boxes: ``[n, 4]``, in pixels ``x1, y1, x2, y2`` of the original image.
        scores: ``[n]``, 0 to 1.
        labels: Labels of their classes, ``[n]``.
        scale: Factors of width and height from the original image to the network's
            input.
    """

    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    scale: tuple[float, float] = (1.0, 1.0)

    @property
    def input_boxes(self) -> np.ndarray:
        """The boxes in pixels of the network's input, ``[n, 4]``."""
        return self.boxes * np.array(self.scale * 2)

    def select(self, indices: list[int]) -> 'Detections':
        """Return some of the boxes."""
        return Detections(
            self.boxes[indices], self.scores[indices], self.labels[indices], self.scale
        )


@dataclass(frozen=True, eq=False)
class ClassScores:
    """Scores of the classes, ``[K]``, of a classifier; their sum is 1."""

    scores: np.ndarray


Prediction = Detections | ClassScores


def read_prediction(sample: Any) -> Prediction:
    """Return what a model predicts for an image.

    Args:
        sample: A data sample of MMDetection or MMPretrain, as ``test_step`` returns it.
    """
    found = sample.get('pred_instances')
    if found is None:
        return ClassScores(_array(sample.pred_score))
    order = score_order(found.scores)
    width, height = sample.metainfo.get('scale_factor', (1.0, 1.0))[:2]
    return Detections(
        _array(found.bboxes)[order],
        _array(found.scores)[order],
        _array(found.labels)[order],
        (float(width), float(height)),
    )


def score_order(scores: torch.Tensor) -> list[int]:
    """Return the indices of scores in descending order."""
    return scores.detach().argsort(descending=True, stable=True).tolist()


def _array(values: torch.Tensor) -> np.ndarray:
    values = values.detach()
    return (values.float() if values.is_floating_point() else values).cpu().numpy()


__all__ = ['ClassScores', 'Detections', 'Prediction', 'read_prediction', 'score_order']
