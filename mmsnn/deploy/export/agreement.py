"""Comparison of an exported detector or classifier with PyTorch."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from mmsnn.streaming import State, restart, step


@dataclass(frozen=True)
class Agreement:
    """How the results for one image agree.

    Attributes:
        image: Path or number of the image.
        expected: Number of PyTorch's detections; 1 for a classifier.
        found: Number of the exported network's detections; 1 for a classifier.
        matched: Number of PyTorch's detections for which the exported network has one
            with the same label and an IoU of at least 0.99.
        box_error: Greatest difference of the matched boxes' coordinates, in pixels.
        score_error: Greatest difference of their scores.
        state_error: In a stream, share of the state's values that differ by more than
            0.001.
    """

    image: str
    expected: int
    found: int
    matched: int
    box_error: float
    score_error: float
    state_error: float = 0.0

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
        outputs = session.run(None, {'pictures': picture_of(batch)[None]})
        yield _compare_results(str(path_of(batch) or number), sample, outputs)


@torch.no_grad()
def compare_stream(
    model: Any, session: Any, batches: Any, num_steps: int = 1
) -> Iterator[Agreement]:
    """Yield how PyTorch and an exported step agree on images as frames of one stream.

    Args:
        model: The model, in evaluation mode.
        session: An ``onnxruntime.InferenceSession`` of the exported step, see
            :func:`mmsnn.deploy.export.step_export.export_step`.
        batches: Batches of one image, of one size.
        num_steps: Number of time steps per image.
    """
    _, *names = (value.name for value in session.get_inputs())
    state: State | None = None
    states: dict[str, np.ndarray] = {}
    for number, batch in enumerate(batches):
        data = model.data_preprocessor(dict(batch), False)
        (sample,), state = step(
            model, **data, mode='predict', num_steps=num_steps, state=state
        )
        rest = restart(model, state, torch.ones(1, dtype=torch.bool))
        expected = [(state[key] - rest[key]).cpu().numpy() for key in state]
        if not states:
            states = dict(zip(names, map(np.zeros_like, expected), strict=True))
        outputs = session.run(None, {'pictures': picture_of(batch)[None], **states})
        results, after = outputs[: -len(names)], outputs[-len(names) :]
        states = dict(zip(names, after, strict=True))
        found = _compare_results(str(path_of(batch) or number), sample, results)
        differing = sum(
            int((np.abs(one - other) > 1e-3).sum())
            for one, other in zip(states.values(), expected, strict=True)
        )
        total = sum(value.size for value in expected)
        yield replace(found, state_error=differing / total)


def _compare_results(name: str, sample: Any, outputs: Any) -> Agreement:
    if hasattr(sample, 'pred_instances'):
        instances = sample.pred_instances
        expected = [
            getattr(instances, part).cpu().numpy()
            for part in ('bboxes', 'scores', 'labels')
        ]
        return _compare_boxes(name, expected, [part[0] for part in outputs])
    error = np.abs(outputs[0][0] - sample.pred_score.cpu().numpy()).max()
    same = int(outputs[0][0].argmax() == sample.pred_score.argmax())
    return Agreement(name, 1, 1, same, 0.0, float(error))


def path_of(batch: Any) -> str | None:
    """Return the path of the picture of a batch of one, if it is from a file."""
    (sample,) = batch['data_samples']
    return getattr(sample, 'img_path', None) or None


def picture_of(batch: Any) -> np.ndarray:
    """Return the picture of a batch of one, as an exported model takes it.

    Returns:
        uint8 ``[H, W, 3]`` in RGB, or ``[H, W, 1]``: the file of a detector's picture,
        and what the test pipeline makes of a classifier's.
    """
    import mmcv
    from mmdet.structures import DetDataSample

    (sample,) = batch['data_samples']
    path = path_of(batch)
    if path is not None and isinstance(sample, DetDataSample):
        return np.ascontiguousarray(mmcv.imread(path, channel_order='rgb'))
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


__all__ = ['Agreement', 'compare', 'compare_stream', 'picture_of']
