"""Prophesee's COCO protocol for event cameras as a metric."""

import contextlib
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mmsnn.datasets.events.detection.box_filters import GEN1_FILTER, BoxFilter
from mmsnn.registry import METRICS
from mmsnn.utils import check_number, check_positive_int

_BOX = np.dtype(
    [('t', '<i8')]
    + [(name, '<f8') for name in ('x', 'y', 'w', 'h', 'score')]
    + [('label', '<i8')]
)
_ITEMS = (
    *('mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l'),
    *('AR@1', 'AR@10', 'AR@100', 'AR_s@100', 'AR_m@100', 'AR_l@100'),
)


@METRICS.register_module()
class EventCocoMetric(BaseMetric):
    """COCO's mean average precision at the labelled times of event recordings.

    The protocol of Perot et al. 2020, *Learning to detect objects with a 1 megapixel
    event camera*: ground truth and detections are filtered by the same
    :class:`~mmsnn.datasets.events.detection.BoxFilter`; detections within ``tolerance``
    of a labelled time, inclusive, are matched with its boxes; times without ground
    truth are skipped. The defaults are Gen1's. A published evaluator differs from the
    protocol by mistake: it has a tolerance of 100 ms and swaps height and width.

    Args:
        min_diagonal: Smallest diagonal of a box in pixels; 60 for 1 Mpx.
        min_side: Smallest side of a box in pixels; 20 for 1 Mpx.
        min_time: Time in microseconds after which boxes count.
        tolerance: Largest difference in microseconds between the time of a detection
            and a labelled time.
        collect_device: See MMEngine's ``BaseMetric``.
        prefix: Prefix of the names of the metrics.

    Raises:
        TypeError: If an argument is not a number, or ``tolerance`` not an integer.
        ValueError: If ``min_diagonal`` or ``min_side`` is negative, ``min_time`` less
            than -1, or ``tolerance`` less than 1.
    """

    default_prefix = 'event_coco'

    def __init__(
        self,
        min_diagonal: float = GEN1_FILTER.min_diagonal,
        min_side: float = GEN1_FILTER.min_side,
        min_time: int = GEN1_FILTER.min_time,
        tolerance: int = 50_000,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device, prefix)
        limits = {'min_diagonal': min_diagonal, 'min_side': min_side}
        for name, value in limits.items():
            if check_number(name, value) < 0:
                raise ValueError(f'{name} must not be negative, but got {value}')
        if check_number('min_time', min_time) < -1:
            raise ValueError(f'min_time must be at least -1, but got {min_time}')
        self.filter = BoxFilter(min_diagonal, min_side, min_time)
        self.tolerance = check_positive_int('tolerance', tolerance)

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Collect the labelled and the detected boxes of samples."""
        for sample in data_samples:
            found = sample['pred_instances']
            boxes = found['bboxes'].cpu().numpy()
            scores, labels = (found[k].cpu().numpy() for k in ('scores', 'labels'))
            truth = sample['instances']
            true_boxes = np.array([item['bbox'] for item in truth]).reshape(-1, 4)
            true_labels = np.array([item['bbox_label'] for item in truth], np.int64)
            t = sample['event_time']
            self.results.append(
                (
                    sample['recording'],
                    _make_boxes(t, true_boxes, np.ones(len(truth)), true_labels),
                    _make_boxes(t, boxes, scores, labels),
                )
            )

    def compute_metrics(
        self, results: Iterable[tuple[str, np.ndarray, np.ndarray]]
    ) -> dict[str, float]:
        """Return COCO's twelve metrics, and the average precision of each class.

        As in COCO, -1 stands for metrics without ground truth.
        """
        recordings: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
        for name, truth, found in results:
            recordings.setdefault(name, []).append((truth, found))
        pairs: list[tuple[np.ndarray, np.ndarray]] = []
        for parts in recordings.values():
            truth, found = (np.concatenate(boxes) for boxes in zip(*parts, strict=True))
            truth, found = (boxes[self.filter.keeps(boxes)] for boxes in (truth, found))
            pairs += match_times(truth, found, self.tolerance)
        return evaluate_boxes(pairs, self.dataset_meta['classes'])


def _make_boxes(
    t: int, corners: np.ndarray, scores: np.ndarray, labels: np.ndarray
) -> np.ndarray:
    boxes = np.empty(len(corners), _BOX)
    boxes['t'], boxes['score'], boxes['label'] = t, scores, labels
    boxes['x'], boxes['y'] = corners[:, 0], corners[:, 1]
    boxes['w'], boxes['h'] = (corners[:, 2:] - corners[:, :2]).T
    return boxes


def match_times(
    truth: np.ndarray, found: np.ndarray, tolerance: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the boxes of each labelled time and the detections around it.

    Args:
        truth: Labelled boxes of a recording, with field ``t`` in microseconds.
        found: Detected boxes of the recording.
        tolerance: Largest difference of times in microseconds.
    """
    for t in np.unique(truth['t']):
        near = np.abs(found['t'] - t) <= tolerance
        yield truth[truth['t'] == t], found[near]


def evaluate_boxes(
    pairs: Iterable[tuple[np.ndarray, np.ndarray]], classes: Sequence[str]
) -> dict[str, float]:
    """Return COCO's metrics of pairs of labelled and detected boxes.

    Args:
        pairs: One pair per image; structured arrays with fields x, y, w, h, label and
            score.
        classes: Names of the classes.
    """
    pairs = list(pairs)
    categories = [{'id': i + 1, 'name': name} for i, name in enumerate(classes)]
    dataset = {
        'images': [{'id': i + 1} for i in range(len(pairs))],
        'categories': categories,
        'annotations': _to_coco([truth for truth, _ in pairs]),
    }
    detections = _to_coco([found for _, found in pairs])
    if not dataset['annotations'] or not detections:
        names = (*_ITEMS, *(f'{name}_AP' for name in classes))
        return dict.fromkeys(names, 0.0 if dataset['annotations'] else -1.0)
    truth, found = COCO(), COCO()
    truth.dataset, found.dataset = dataset, {**dataset, 'annotations': detections}
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        found.createIndex()
        evaluation = COCOeval(truth, found, 'bbox')
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    metrics = dict(zip(_ITEMS, map(float, evaluation.stats), strict=True))
    # [threshold, recall, class, size, number of detections]
    precision = evaluation.eval['precision'][:, :, :, 0, -1]
    for i, name in enumerate(classes):
        values = precision[:, :, i]
        valid = values[values > -1]
        metrics[f'{name}_AP'] = float(valid.mean()) if len(valid) else -1.0
    return metrics


def _to_coco(images: Iterable[np.ndarray]) -> list[dict[str, Any]]:
    annotations: list[dict[str, Any]] = []
    for number, boxes in enumerate(images, 1):
        for box in boxes:
            x, y, w, h = (float(box[name]) for name in 'xywh')
            annotations.append(
                {
                    'id': len(annotations) + 1,
                    'image_id': number,
                    'category_id': int(box['label']) + 1,
                    'bbox': [x, y, w, h],
                    'area': w * h,
                    'iscrowd': 0,
                    'score': float(box['score']),
                }
            )
    return annotations
