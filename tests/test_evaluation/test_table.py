"""Table 4's columns, against pycocotools itself."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmdet.evaluation import CocoMetric
from mmengine.config import Config
from mmengine.registry import METRICS, DefaultScope
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mmsnn.evaluation import (
    COLUMNS,
    CocoColumns,
    format_tables,
    read_tables,
    request_columns,
    save_tables,
)
from mmsnn.utils.errors import UserError

DEFAULT_ITEMS = ['mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l']
RECALLS = ['AR@1000', 'AR_s@1000', 'AR_m@1000', 'AR_l@1000']
# pycocotools' order of its twelve numbers, with its default limits of detections.
STATS = dict(mAP=0, AP50=1, AP_S=3, AP_M=4, AP_L=5, mAR=8, AR_S=9, AR_M=10, AR_L=11)

KEYS = ('bboxes', 'labels', 'scores')


def make_config(evaluator: Any) -> Config:
    return Config(dict(default_scope='mmdet', test_evaluator=evaluator))


@pytest.mark.parametrize(
    ('given', 'expected'),
    [
        (None, DEFAULT_ITEMS + RECALLS),
        (
            ['mAP_75', 'AR@100', 'mAP'],
            ['mAP_75', 'AR@100', 'mAP', 'mAP_50', 'mAP_s', 'mAP_m', 'mAP_l', *RECALLS],
        ),
    ],
)
def test_the_users_items_stay_first(given: Any, expected: list[str]) -> None:
    cfg = make_config(dict(type='CocoMetric', metric_items=given))
    request_columns(cfg)
    assert cfg.test_evaluator.metric_items == expected


@pytest.mark.parametrize(
    'evaluator',
    [
        dict(type='CocoMetric'),
        dict(type='mmdet.CocoMetric', metric=['bbox', 'segm']),
        dict(type=CocoMetric, metric='bbox'),
        [dict(type='DumpProposals'), dict(type='CocoMetric')],
        dict(type='Evaluator', metrics=[dict(type='CocoMetric')]),
    ],
)
def test_box_metrics_are_found(evaluator: Any) -> None:
    assert request_columns(make_config(evaluator)) == [CocoColumns('coco', 1000)]


@pytest.mark.parametrize(
    'evaluator',
    [
        None,
        dict(type='CocoMetric', metric='segm'),
        dict(type='CocoMetric', format_only=True, outfile_prefix='x'),
        dict(type='VOCMetric'),
        dict(type='mmpretrain.Accuracy'),
        [dict(type='VOCMetric')],
    ],
)
def test_other_metrics_are_left_alone(evaluator: Any) -> None:
    cfg = make_config(evaluator)
    before = json.dumps(cfg.to_dict())
    assert request_columns(cfg) == []
    assert json.dumps(cfg.to_dict()) == before


def test_prefix_and_limit_are_the_metrics() -> None:
    metric = dict(type='CocoMetric', prefix='night', proposal_nums=(1, 10, 100))
    assert request_columns(make_config(metric)) == [CocoColumns('night', 100)]


@pytest.mark.parametrize('numbers', [None, 100, ()])
def test_numbers_of_proposals_are_a_list(numbers: Any) -> None:
    metric = dict(type='CocoMetric', proposal_nums=numbers)
    with pytest.raises(UserError, match=r'^test_evaluator\.proposal_nums must be'):
        request_columns(make_config(metric))


def write_annotations(path: Path, sizes: tuple[int, ...]) -> None:
    boxes = [(4 + 9 * i, 5, size, size) for i, size in enumerate(sizes)]
    annotations = [
        dict(
            id=100 * image + number + 1,
            image_id=image,
            category_id=1 + number % 2,
            bbox=box,
            area=box[2] * box[3],
            iscrowd=0,
        )
        for image in (1, 2)
        for number, box in enumerate(boxes)
    ]
    images = [dict(id=i, width=300, height=300, file_name=f'{i}.jpg') for i in (1, 2)]
    categories = [dict(id=1, name='a'), dict(id=2, name='b')]
    content = dict(images=images, annotations=annotations, categories=categories)
    path.write_text(json.dumps(content))


def make_predictions(path: Path) -> list[dict[str, Any]]:
    """True boxes shifted by increasing amounts, and false ones."""
    rng = np.random.default_rng(0)
    samples = []
    for image in (1, 2):
        annotations = json.loads(path.read_text())['annotations']
        truth = [a for a in annotations if a['image_id'] == image]
        boxes = np.array([a['bbox'] for a in truth], dtype=float)
        boxes[:, 2:] += boxes[:, :2]
        shift = rng.uniform(0, 0.2, (len(boxes), 1)) * (boxes[:, 2:3] - boxes[:, :1])
        false = rng.uniform(0, 50, (5, 4)) + [0, 0, 50, 50]
        instances = dict(
            bboxes=np.concatenate([boxes + shift, false]),
            scores=rng.uniform(size=len(boxes) + 5),
            labels=[a['category_id'] - 1 for a in truth] + [0] * 5,
        )
        tensors = {key: torch.as_tensor(value) for key, value in instances.items()}
        samples.append(dict(img_id=image, ori_shape=(300, 300), pred_instances=tensors))
    return samples


def evaluate(path: Path) -> tuple[CocoColumns, np.ndarray]:
    """Return the table of CocoMetric's results and pycocotools' own numbers."""
    cfg = make_config(dict(type='CocoMetric', ann_file=str(path)))
    (table,) = request_columns(cfg)
    samples = make_predictions(path)
    results = [
        dict(
            image_id=sample['img_id'],
            category_id=1 + label,
            bbox=[x1, y1, x2 - x1, y2 - y1],
            score=score,
        )
        for sample in samples
        for (x1, y1, x2, y2), label, score in zip(
            *(sample['pred_instances'][key].tolist() for key in KEYS), strict=True
        )
    ]
    truth = COCO(str(path))
    reference = COCOeval(truth, truth.loadRes(results), 'bbox')
    reference.evaluate()
    reference.accumulate()
    reference.summarize()
    with DefaultScope.overwrite_default_scope('mmdet'):
        metric = METRICS.build(cfg.test_evaluator)
    metric.dataset_meta = dict(classes=('a', 'b'))
    metric.process({}, samples)
    return table.filled(metric.evaluate(size=2)), reference.stats


def test_columns_equal_pycocotools(tmp_path: Path) -> None:
    path = tmp_path / 'instances.json'
    write_annotations(path, sizes=(16, 20, 40, 60, 100, 120))
    table, stats = evaluate(path)
    assert list(table.columns) == list(COLUMNS) == list(STATS)
    for column, index in STATS.items():
        assert 0 < stats[index] < 1
        assert table.columns[column] == pytest.approx(stats[index], abs=5.1e-4)


def test_a_size_without_objects_has_no_number(tmp_path: Path) -> None:
    path = tmp_path / 'instances.json'
    write_annotations(path, sizes=(40, 60))
    table, stats = evaluate(path)
    assert stats[STATS['AP_S']] == stats[STATS['AR_L']] == -1
    empty = {name for name, value in table.columns.items() if value is None}
    assert empty == {'AP_S', 'AP_L', 'AR_S', 'AR_L'}


def test_format() -> None:
    values = dict.fromkeys(COLUMNS, 0.28549) | {'AP_S': None}
    header, row = format_tables([CocoColumns('coco', 100, values)]).splitlines()
    assert header.split() == ['metric', *COLUMNS]
    assert row.split() == ['coco', '0.285', '0.285', '-', *['0.285'] * 6]
    assert len(header) == len(row)


def test_save_and_read(tmp_path: Path) -> None:
    values = dict.fromkeys(COLUMNS, 0.25) | {'AR_S': None}
    tables = [CocoColumns('coco', 1000, values), CocoColumns('night', 100)]
    path = tmp_path / 'new' / 'columns.json'
    save_tables(path, tables, config='a.py', checkpoint='b.pth')
    assert read_tables(path) == tables
    content = json.loads(path.read_text())
    assert (content['config'], content['checkpoint']) == ('a.py', 'b.pth')
    assert content['tables']['coco']['columns']['AR_S'] is None
