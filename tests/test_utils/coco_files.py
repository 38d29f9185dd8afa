"""A tiny annotation file in COCO's format, a config that uses it, and what runs it."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmdet.datasets import CocoDataset
from mmdet.evaluation import CocoMetric
from mmengine.config import Config

from mmsnn.utils.data_checks import check_contents
from mmsnn.utils.errors import UserError

NAMES = ('cat', 'dog', 'cow')
NAN, INF = math.nan, math.inf


def make_content() -> dict[str, Any]:
    """Return 4 images with 2 objects each, of 3 categories whose ids have gaps."""
    images = [
        {'id': 7 + index, 'file_name': f'{index}.png', 'height': 40, 'width': 60}
        for index in range(4)
    ]
    categories = [{'id': 10 * number, 'name': NAMES[number]} for number in range(3)]
    annotations = [
        {
            'id': 1 + index,
            'image_id': 7 + index // 2,
            'category_id': 10 * (index % 3),
            'bbox': [index, 2, 10 + index, 20],
            'area': 20 * (10 + index),
            'iscrowd': 0,
        }
        for index in range(8)
    ]
    return {'images': images, 'annotations': annotations, 'categories': categories}


def write(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content))
    return path


def make_folder(root: Path) -> None:
    """Write the annotations of two equal splits, and empty images."""
    for index in range(4):
        (root / f'{index}.png').touch()
    for split in ('train', 'val'):
        write(root / f'{split}.json', make_content())


def make_config() -> Config:
    """Return a config of the files in the current folder."""

    def loader(split: str) -> dict[str, Any]:
        dataset = dict(
            type='CocoDataset',
            ann_file=f'{split}.json',
            data_prefix=dict(img=''),
            metainfo=dict(classes=NAMES),
        )
        return dict(dataset=dataset)

    cfg = Config(
        dict(
            default_scope='mmdet',
            model=dict(type='RetinaNet', bbox_head=dict(num_classes=3)),
            train_dataloader=loader('train'),
            val_dataloader=loader('val'),
            val_evaluator=dict(type='CocoMetric', ann_file='val.json'),
        )
    )
    cfg.val_dataloader.dataset.test_mode = True
    return cfg


def prepare(changes: str) -> Config:
    """Write the files anew, change what is said, and return the config.

    Args:
        changes: Any number of ``WHERE: STATEMENT``, with ``&`` between them. The
            statement of ``cfg`` changes the config; of ``train`` and ``val``, a
            split's annotations; and of ``other``, those of a file of the evaluator's.
    """
    make_folder(Path())
    cfg = make_config()
    for change in changes.split(' & '):
        where, _, statement = change.partition(': ')
        content = make_content()
        train, val = cfg.train_dataloader.dataset, cfg.val_dataloader.dataset
        names = dict(content, content=content, cfg=cfg, train=train, val=val)
        names |= dict(model=cfg.model, evaluator=cfg.val_evaluator, nan=NAN, inf=INF)
        exec(statement, names)
        if where != 'cfg':
            write(Path(f'{where}.json'), content)
        if where == 'other':
            cfg.val_evaluator.ann_file = 'other.json'
        if 'classes' in names:
            train.metainfo.classes = val.metainfo.classes = names['classes']
            cfg.model.bbox_head.num_classes = len(names['classes'])
    return cfg


def check(cfg: Config) -> list[str]:
    """Check a config; return the warnings."""
    warnings: list[str] = []
    check_contents(cfg, ('train', 'val'), warnings.append)
    return warnings


def fail(cfg: Config) -> str:
    """Check a config that must be refused; return the one line."""
    with pytest.raises(UserError) as caught:
        check(cfg)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


def build(loader: Any) -> CocoDataset:
    options = {**loader.dataset}
    options.pop('type')
    return CocoDataset(**options, serialize_data=False)


def count_boxes(cfg: Config) -> int:
    """Return how many boxes MMDetection takes of the training set."""
    dataset = build(cfg.train_dataloader)
    return sum(
        len(dataset.get_data_info(index)['instances']) for index in range(len(dataset))
    )


def evaluate(cfg: Config) -> float:
    """Return the mAP of predictions that are the validation set's own boxes."""
    dataset = build(cfg.val_dataloader)
    metric = CocoMetric(cfg.val_evaluator.ann_file)
    metric.dataset_meta = dataset.metainfo
    samples = []
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        boxes = [instance['bbox'] for instance in info['instances']]
        labels = [instance['bbox_label'] for instance in info['instances']]
        predicted = dict(
            bboxes=torch.tensor(np.array(boxes).reshape(-1, 4)),
            labels=torch.tensor(labels, dtype=torch.long),
            scores=torch.full((len(boxes),), 0.9),
        )
        size = (info['height'], info['width'])
        samples.append(
            dict(img_id=info['img_id'], ori_shape=size, pred_instances=predicted)
        )
    metric.process({}, samples)
    return metric.evaluate(len(samples))['coco/bbox_mAP']
