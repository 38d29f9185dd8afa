"""Prophesee's protocol, against hand-made cases and an independent computation."""

import numpy as np
import pytest
import torch

from mmsnn.evaluation import EventCocoMetric

CLASSES = ('car', 'pedestrian')


def sample(t, truth=(), found=(), recording='a'):
    """Return a sample; boxes are (x1, y1, x2, y2, label[, score])."""
    boxes = torch.tensor([f[:4] for f in found], dtype=torch.float64).reshape(-1, 4)
    return dict(
        recording=recording,
        event_time=t,
        instances=[dict(bbox=list(b[:4]), bbox_label=b[4]) for b in truth],
        pred_instances=dict(
            bboxes=boxes,
            labels=torch.tensor([f[4] for f in found], dtype=torch.long),
            scores=torch.tensor([f[5] for f in found]),
        ),
    )


def evaluate(samples, **options):
    metric = EventCocoMetric(**options)
    metric.dataset_meta = dict(classes=CLASSES)
    metric.process(None, samples)
    return metric.compute_metrics(metric.results)


BOX = (10, 10, 60, 60)


def test_perfect_detections():
    samples = [
        sample(
            t,
            [(*BOX, 0), (100, 100, 150, 180, 1)],
            [(*BOX, 0, 0.9), (100, 100, 150, 180, 1, 0.8)],
        )
        for t in (600_000, 700_000)
    ]
    found = evaluate(samples)
    assert found['mAP'] == found['car_AP'] == found['pedestrian_AP'] == 1
    assert found['mAP_m'] == 1
    assert found['mAP_s'] == -1


@pytest.mark.parametrize(
    ('offset', 'recording', 'expected'),
    [(50_000, 'a', 1), (-50_000, 'a', 1), (50_001, 'a', 0), (0, 'b', 0)],
)
def test_within_50_ms_of_the_same_recording(offset, recording, expected):
    samples = [
        sample(900_000, [(*BOX, 0)]),
        sample(900_000 + offset, [], [(*BOX, 0, 0.9)], recording),
    ]
    assert evaluate(samples)['car_AP'] == pytest.approx(expected)


def test_both_are_filtered_and_times_without_truth_are_skipped():
    small = (0, 0, 12, 12)
    samples = [
        sample(400_000, [(*BOX, 1)], [(*BOX, 0, 1.0)]),  # before 0.5 s
        sample(900_000, [(*BOX, 0), (*small, 0)], [(*BOX, 0, 0.5), (*small, 0, 0.9)]),
        sample(1_500_000, [], [(*BOX, 0, 0.99)]),  # no ground truth
    ]
    found = evaluate(samples)
    assert found['car_AP'] == pytest.approx(1)
    assert found['pedestrian_AP'] == -1
    loose = evaluate(samples, min_diagonal=0, min_side=0, min_time=-1)
    assert loose['pedestrian_AP'] == 0


def test_nothing_labelled_and_nothing_found():
    assert evaluate([sample(900_000)])['mAP'] == -1
    assert evaluate([sample(900_000, [(*BOX, 0)])])['mAP'] == 0


@pytest.mark.parametrize(
    ('name', 'value', 'message'),
    [
        ('min_diagonal', -1, 'min_diagonal must not be negative, but got -1'),
        ('min_side', -1, 'min_side must not be negative, but got -1'),
        ('tolerance', 0, 'tolerance'),
        ('min_time', -2, 'min_time must be at least -1, but got -2'),
    ],
)
def test_mistakes(name, value, message):
    with pytest.raises(ValueError, match=message):
        EventCocoMetric(**{name: value})


def iou(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    inner = max(width, 0) * max(height, 0)
    area = sum((c[2] - c[0]) * (c[3] - c[1]) for c in (a, b))
    return inner / (area - inner)


def average_precision(samples, label, threshold):
    """The protocol in its own words: match by score, 101 recalls, maximal precision."""
    hits, total = [], 0
    for each in samples:
        truth = [i['bbox'] for i in each['instances'] if i['bbox_label'] == label]
        total += len(truth)
        free = list(truth)
        boxes = each['pred_instances']
        columns = (boxes[key].tolist() for key in ('scores', 'bboxes', 'labels'))
        rows = zip(*columns, strict=True)
        mine = sorted(((s, b) for s, b, k in rows if k == label), reverse=True)
        for score, candidate in mine:
            best = max(free, key=lambda box: iou(candidate, box), default=None)
            hit = best is not None and iou(candidate, best) >= threshold
            if hit:
                free.remove(best)
            hits.append((score, hit))
    hits.sort(key=lambda pair: -pair[0])
    right = np.cumsum([hit for _, hit in hits])
    precision = right / np.arange(1, len(hits) + 1)
    recall = right / total
    return np.mean(
        [precision[recall >= r - 1e-12].max(initial=0) for r in np.linspace(0, 1, 101)]
    )


def test_equals_an_independent_computation():
    rng = np.random.default_rng(0)
    samples = []
    for k in range(12):
        corners = rng.uniform(0, 150, (4, 2))
        truth = [
            (*c, *(c + rng.uniform(30, 90, 2)), int(rng.integers(2))) for c in corners
        ]
        found = [
            (*(np.array(b[:4]) + rng.normal(0, 4, 4)), b[4], float(rng.random()))
            for b in truth
            if rng.random() < 0.8
        ] + [
            (*c, *(c + 50), int(rng.integers(2)), float(rng.random()))
            for c in rng.uniform(0, 150, (2, 2))
        ]
        samples.append(sample(1_000_000 + 200_000 * k, truth, found))
    metrics = evaluate(samples)
    thresholds = np.linspace(0.5, 0.95, 10)
    for label, name in enumerate(CLASSES):
        expected = [average_precision(samples, label, t) for t in thresholds]
        assert metrics[f'{name}_AP'] == pytest.approx(np.mean(expected), abs=1e-9)
    both = [average_precision(samples, label, 0.5) for label in (0, 1)]
    assert metrics['mAP_50'] == pytest.approx(np.mean(both), abs=1e-9)
