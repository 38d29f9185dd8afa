"""Confusion matrices of classifiers and detectors from dumped predictions."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from mmsnn.utils.errors import UserError

BACKGROUND = 'background'


def check_labels(what: str, labels: Sequence[int], num_classes: int) -> None:
    """Check that all labels are classes of the data set.

    A negative label would index the matrix from its end.

    Raises:
        UserError: If a label is out of range.
    """
    for label in labels:
        if not 0 <= label < num_classes:
            raise UserError(
                f'the {what} have class {label}, but the data set has {num_classes} '
                f'classes, 0 to {num_classes - 1}'
            )


def check_finite(what: str, **values: Any) -> None:
    """Check that no prediction is NaN or infinite.

    A score that is NaN is below every threshold, so that its detection would count as
    missed.

    Args:
        what: What is predicted, for the message.
        values: Tensors by name.

    Raises:
        UserError: If one has such a value.
    """
    for name, value in values.items():
        if not torch.as_tensor(value).isfinite().all():
            raise UserError(f'the {name} predicted for {what} are NaN or infinite')


def classify(predictions: Sequence[Mapping[str, Any]], num_classes: int) -> np.ndarray:
    """Return a classifier's confusion matrix, [true, predicted].

    Raises:
        UserError: If the predictions are not those of a classifier with these classes,
            or if a score is not finite.
    """
    from mmpretrain.evaluation import ConfusionMatrix

    if not all({'pred_label', 'gt_label'} <= each.keys() for each in predictions):
        raise UserError(
            "the predictions are not a classifier's: pred_label or gt_label is missing"
        )
    for index, each in enumerate(predictions):
        check_finite(f'image {index}', pred_score=each.get('pred_score', 0))
    predicted, true = (
        [int(each[name][0]) for each in predictions]
        for name in ('pred_label', 'gt_label')
    )
    check_labels('predictions', (*predicted, *true), num_classes)
    return ConfusionMatrix.calculate(predicted, true, num_classes).numpy()


def match(
    boxes: np.ndarray, found: np.ndarray, ignored: np.ndarray, threshold: float
) -> tuple[dict[int, int], set[int]]:
    """Match detections [m, 4], sorted by score, to objects [n, 4], each at most once.

    Returns:
        The index of the matched detection by object, and the unmatched detections
        inside ignored boxes.
    """
    from mmdet.evaluation import bbox_overlaps

    overlaps = bbox_overlaps(found, boxes)
    pairs: dict[int, int] = {}
    for detection, row in enumerate(overlaps if len(boxes) else ()):
        row[list(pairs)] = -1
        best = int(row.argmax())
        if row[best] >= threshold:
            pairs[best] = detection
    # A detection may cover only part of a crowd.
    inside = bbox_overlaps(found, ignored, mode='iof') >= threshold
    left = set(np.flatnonzero(inside.any(axis=1)).tolist()) - set(pairs.values())
    return pairs, left


def select(
    prediction: Mapping[str, Any], score_thr: float, nms_iou_thr: float | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return boxes [m, 4] and labels [m] of selected detections, sorted by score."""
    from mmcv.ops import batched_nms

    boxes, scores, labels = (prediction[k] for k in ('bboxes', 'scores', 'labels'))
    kept = scores >= score_thr
    boxes, scores, labels = boxes[kept], scores[kept], labels[kept]
    if nms_iou_thr is not None and len(boxes):
        nms = dict(type='nms', iou_threshold=nms_iou_thr)
        _, kept = batched_nms(boxes, scores, labels, nms)
        boxes, scores, labels = boxes[kept], scores[kept], labels[kept]
    order = scores.argsort(descending=True, stable=True)
    boxes, labels = boxes[order], labels[order]
    return boxes.numpy().reshape(-1, 4), labels.numpy()


def detect(
    predictions: Sequence[Mapping[str, Any]],
    infos: Iterable[Mapping[str, Any]],
    num_classes: int,
    *,
    score_thr: float,
    iou_thr: float,
    nms_iou_thr: float | None = None,
) -> np.ndarray:
    """Return a detector's confusion matrix, [true, predicted], with background last.

    Args:
        predictions: Predictions for all images, in any order.
        infos: Results of the data set's ``get_data_info`` for all images.
        num_classes: Number of classes of the data set.
        score_thr: Detections with a lower score are left out.
        iou_thr: Minimum IoU of a detection with the object that it matches.
        nms_iou_thr: IoU threshold of additional NMS per class; None disables it.

    Raises:
        UserError: If the predictions are not those of a detector on this data set, or
            if a score or box is not finite.
    """
    if not all({'img_id', 'pred_instances'} <= each.keys() for each in predictions):
        raise UserError(
            "the predictions are not a detector's: img_id or pred_instances is missing"
        )
    by_image = {each['img_id']: each['pred_instances'] for each in predictions}
    matrix = np.zeros((num_classes + 1, num_classes + 1), np.int64)
    for info in infos:
        if info['img_id'] not in by_image:
            raise UserError(
                f'there is no prediction for image {info["img_id"]}: the predictions '
                'are of another data set'
            )
        predicted = by_image[info['img_id']]
        for key in ('bboxes', 'labels', 'scores'):
            if key not in predicted:
                raise UserError(
                    f"the predictions are not a detector's: {key} of image "
                    f'{info["img_id"]} are missing'
                )
        check_finite(
            f'image {info["img_id"]}',
            **{key: predicted[key] for key in ('scores', 'bboxes')},
        )
        found, labels = select(predicted, score_thr, nms_iou_thr)
        check_labels('predictions', labels.tolist(), num_classes)
        truths = [each for each in info['instances'] if not each.get('ignore_flag')]
        rest = [each for each in info['instances'] if each.get('ignore_flag')]
        check_labels('annotations', [t['bbox_label'] for t in truths], num_classes)
        boxes, ignored = (
            np.array([each['bbox'] for each in group], np.float32).reshape(-1, 4)
            for group in (truths, rest)
        )
        pairs, left = match(boxes, found, ignored, iou_thr)
        for true, each in enumerate(truths):
            taken = pairs.get(true)
            label = num_classes if taken is None else labels[taken]
            matrix[each['bbox_label'], label] += 1
        for detection in set(range(len(found))) - set(pairs.values()) - left:
            matrix[num_classes, labels[detection]] += 1
    return matrix
