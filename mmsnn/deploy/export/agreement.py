"""Comparison of an exported detector or classifier with PyTorch's."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch


@dataclass(frozen=True)
class Agreement:
    """How the results for one image agree.

    Attributes:
        image: Path or number of the image.
        expected: Number of PyTorch's detections; 1 for a classifier.
        found: Number of the exported network's.
        matched: Detections of PyTorch that have an exported one of the same label with
            an IoU of at least 0.99.
        box_error: Greatest difference of the matched boxes' coordinates, in pixels.
        score_error: Greatest difference of their scores.
    """

    image: str
    expected: int
    found: int
    matched: int
    box_error: float
    score_error: float

    @property
    def equal(self) -> bool:
        """Whether all detections are the same, with boxes within 0.01 pixels."""
        same = self.expected == self.found == self.matched
        return same and self.box_error <= 0.01 and self.score_error <= 1e-3


def compare(model: Any, session: Any, batches: Any) -> Iterator[Agreement]:
    """Yield how PyTorch and an exported model agree on the images of a data set.

    Args:
        model: The model, in evaluation mode.
        session: An ``onnxruntime.InferenceSession`` of the exported model.
        batches: Batches of one image, see
            :func:`mmsnn.analysis.model_inputs.make_batches`.
    """
    for number, batch in enumerate(batches):
        with torch.no_grad():
            (sample,) = model.test_step(batch)
        path = getattr(sample, 'img_path', None)
        pictures = read_picture(path) if path else picture_of(batch)
        outputs = session.run(None, {'pictures': pictures[None]})
        name = str(path or number)
        if hasattr(sample, 'pred_instances'):
            instances = sample.pred_instances
            expected = [
                getattr(instances, part).cpu().numpy()
                for part in ('bboxes', 'scores', 'labels')
            ]
            yield _compare_boxes(name, expected, [part[0] for part in outputs])
        else:
            error = np.abs(outputs[0][0] - sample.pred_score.cpu().numpy()).max()
            same = int(outputs[0][0].argmax() == sample.pred_score.argmax())
            yield Agreement(name, 1, 1, same, 0.0, float(error))


def read_picture(path: str) -> np.ndarray:
    """Return a picture in RGB, ``[H, W, 3]``, uint8."""
    import mmcv

    return np.ascontiguousarray(mmcv.imread(path, channel_order='rgb'))


def picture_of(batch: Any) -> np.ndarray:
    """Return the picture of a batch that holds no path, such as of digits."""
    (planes,) = batch['inputs']
    pixels = planes.permute(1, 2, 0).numpy()
    if pixels.shape[-1] == 3:
        pixels = pixels[..., ::-1]
    return np.ascontiguousarray(pixels.astype(np.uint8))


def _compare_boxes(name: str, expected: Any, found: Any) -> Agreement:
    boxes, scores, labels = (part[found[1] > 0] for part in found)
    box_error = score_error = 0.0
    free = np.ones(len(boxes), dtype=bool)
    matched = 0
    for box, score, label in zip(*expected, strict=True):
        overlap = _iou(box, boxes) * (free & (labels == label))
        if not len(overlap) or overlap.max() < 0.99:
            continue
        best = int(overlap.argmax())
        free[best] = False
        matched += 1
        box_error = max(box_error, float(np.abs(boxes[best] - box).max()))
        score_error = max(score_error, float(abs(scores[best] - score)))
    return Agreement(
        name, len(expected[0]), len(boxes), matched, box_error, score_error
    )


def _iou(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    corners = np.maximum(boxes[:, :2], box[:2]), np.minimum(boxes[:, 2:], box[2:])
    common = np.prod(np.clip(corners[1] - corners[0], 0, None), axis=1)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    return common / (areas + np.prod(box[2:] - box[:2]) - common)


__all__ = ['Agreement', 'compare', 'picture_of', 'read_picture']
