"""Data that disagrees with itself, with its evaluator and with the model's heads.

``test_checks_guide.py`` has more of it: one of each message.
"""

# ruff: noqa: E501 - a row is a line

import json
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from mmsnn.utils.class_checks import compare_classes

from . import coco_files
from .coco_files import NAMES, fail, prepare

pytestmark = pytest.mark.usefixtures('root')

# Changes of the config or of files, as `prepare` reads them, and what is said.
MISTAKES = """
cfg: classes = [] | train_dataloader.dataset.metainfo.classes must be a list of distinct names
cfg: classes = ['cat', 'cat', 'dog'] | metainfo.classes must be a list of distinct names
cfg: classes = ['cat', 1, 'dog'] | metainfo.classes must be a list of distinct names
cfg: classes = dict(cat=1) | metainfo.classes must be a list of distinct names
cfg: model.bbox_head.num_classes = 80; del train['metainfo'], val['metainfo'] | 77 of 80 classes are missing from the categories of train.json: ['person'
train: categories[1]['name'] = 'cat' & cfg: classes = ['cat', 'cow'] | twice
cfg: model.bbox_head.num_classes = 2 | model.bbox_head.num_classes: 2, but train_dataloader.dataset has 3 classes: ('cat', 'dog', 'cow')
cfg: model.bbox_head.num_classes = 4 | model.bbox_head.num_classes: 4, but train
cfg: cfg.model = dict(roi_head=dict(bbox_head=[dict(num_classes=3), dict(num_classes=1)])) | model.roi_head.bbox_head.1.num_classes: 1, but train
cfg: cfg.model = dict(roi_head=dict(bbox_head=dict(type='Shared2FCBBoxHead'))) | model.roi_head.bbox_head.num_classes: 80, but train
cfg: cfg.model = dict(bbox_head=dict(num_classes=3), mask_head=dict(type='mmdet.FCNMaskHead', num_classes=80)) | model.mask_head.num_classes: 80, but
cfg: cfg.model = dict(detector=dict(bbox_head=dict(num_classes=9))) | model.detector.bbox_head.num_classes: 9, but train
cfg: cfg.model = dict(head=dict(num_classes=11)); train.update(type='mmpretrain.CIFAR10') | model.head.num_classes: 11, but train
train: for each in annotations: each.update(iscrowd=1) | none of the 8 objects
train: for each in annotations: each.update(ignore=True) | none of the 8 objects
cfg: train.filter_cfg = dict(min_size=41) | in images too small
cfg: train.data_prefix = 'images' | data_prefix must be a dict whose img
cfg: train.data_prefix = dict(img_path='') | data_prefix must be a dict whose img
cfg: train.ann_file = '' | train_dataloader.dataset.ann_file is missing
other: categories.reverse() | in other.json in another order
other: annotations.clear() | 4 of 4 images have other objects in other.json
other: annotations[4].update(bbox=[1]) | other.json: annotations[4].bbox must be four
cfg: evaluator.metric = ['bbox', 'segm'] | annotations[0] lacks 'segmentation'
val: annotations.clear() & cfg: evaluator.ann_file = None | val_dataloader.dataset: val.json has no objects
val: del content['annotations'] | lacks 'annotations'
"""
# Changes that leave data right.
RIGHT = """
cfg: pass
cfg: evaluator.ann_file = None
other: annotations.reverse()
val: del content['annotations'] & cfg: evaluator.format_only = True
train: annotations[3].update(iscrowd=1)
train: annotations[3].update(ignore=True)
cfg: model.bbox_head.num_classes = 256; train.return_classes = val.return_classes = True
cfg: cfg.model = dict(backbone=dict(num_classes=1000), rpn_head=dict(type='RPNHead', num_classes=1))
cfg: cfg.model = dict(roi_head=dict(type='StandardRoIHead', semantic_head=dict(num_classes=183), bbox_head=dict(type='Shared2FCBBoxHead', num_classes=3)))
cfg: train.type = 'mmdet.CocoPanopticDataset'
cfg: train.ann_file = 's3://bucket/train.json'
cfg: evaluator.ann_file = 's3://bucket/val.json'
cfg: evaluator.update(type='mmdet.CocoPanopticMetric', ann_file='none')
cfg: val.indices = 4
cfg: val.indices = 9
cfg: val.indices = None
"""


@pytest.mark.parametrize('row', MISTAKES.strip().splitlines())
def test_mistake(row: str) -> None:
    changes, says = row.split(' | ')
    assert says in fail(prepare(changes))


@pytest.mark.parametrize('changes', RIGHT.strip().splitlines())
def test_right_data(changes: str) -> None:
    """Also of other formats, on other machines, or of other metrics."""
    cfg = prepare(changes)
    assert not coco_files.check(cfg)
    if changes in ('cfg: pass', 'other: annotations.reverse()'):
        assert coco_files.count_boxes(cfg) == 8
        assert coco_files.evaluate(cfg) == 1


@pytest.mark.parametrize('as_file', [False, True])
def test_some_of_the_categories(as_file: bool) -> None:
    cfg = prepare("cfg: classes = ['cat', 'cow']")
    if as_file:
        Path('names.txt').write_text('cat\ncow\n')
        for loader in (cfg.train_dataloader, cfg.val_dataloader):
            loader.dataset.metainfo.classes = 'names.txt'
    assert not coco_files.check(cfg)
    assert coco_files.count_boxes(cfg) == 5
    assert coco_files.evaluate(cfg) == 1


@pytest.mark.parametrize(
    ('dataset', 'number'),
    [
        (dict(type='CIFAR10'), 10),
        (dict(type='mmsnn.ImageNetSubset', num_classes=20, seed=0), 20),
        (dict(type='RepeatDataset', times=2, dataset=dict(type='CIFAR100')), 100),
    ],
)
def test_heads_of_classifiers(dataset: Any, number: int) -> None:
    head = dict(type='LinearClsHead', num_classes=number)
    loader = dict(dataset=dataset)
    cfg = Config(dict(model=dict(head=head), train_dataloader=loader))
    cfg.default_scope = 'mmpretrain'
    assert not coco_files.check(cfg)
    cfg.model.head.num_classes = number + 1
    assert f'model.head.num_classes: {number + 1}, but train' in fail(cfg)


@pytest.mark.parametrize(
    ('change', 'fault'),
    [
        (dict(category_id=99), 'of categories that the file does not have'),
        (dict(image_id=99), 'of images that the file does not have'),
        (dict(bbox=[5, 5, -3, 4]), 'boxes of less than one pixel'),
        (dict(bbox=[5, 5, 4, -3]), 'boxes of less than one pixel'),
        (dict(bbox=[0, 0, 0, 0]), 'boxes of less than one pixel'),
        (dict(bbox=[60, 0, 5, 5]), 'boxes outside their images'),
        (dict(bbox=[-9, 0, 9, 5]), 'boxes outside their images'),
        (dict(area=0), 'no area'),
    ],
)
def test_objects_that_are_dropped(change: dict[str, Any], fault: str) -> None:
    """Of one it is a warning, of all an error."""
    cfg = prepare(f'train: annotations[3].update({change})')
    (warning,) = coco_files.check(cfg)
    assert warning.startswith('train_dataloader.dataset: 1 of 8 objects of train.json')
    assert fault in warning
    assert f'annotations[3].{next(iter(change))}' in warning
    assert coco_files.count_boxes(cfg) == 7
    message = fail(prepare(f'train: [each.update({change}) for each in annotations]'))
    assert 'none of the 8 objects of train.json can be used: 8 ' in message
    assert fault in message


def test_several_sets_of_which_one_has_no_objects() -> None:
    cfg = prepare('cfg: pass')
    content = coco_files.make_content()
    del content['annotations']
    Path('other.json').write_text(json.dumps(content))
    labeled = cfg.train_dataloader.dataset
    sets = [labeled, {**labeled, 'ann_file': 'other.json'}]
    cfg.train_dataloader.dataset = dict(type='ConcatDataset', datasets=sets)
    where = 'train_dataloader.dataset.datasets'
    assert coco_files.check(cfg) == [f'{where}.1: other.json has no objects']
    labeled.ann_file = 'other.json'
    assert fail(cfg) == f'{where}.0: other.json has no objects'


@pytest.mark.parametrize(('indices', 'untested'), [(1, 3), (-1, 3), ([0, 2], 2)])
def test_evaluators_of_more_images(indices: Any, untested: int) -> None:
    cfg = prepare(f'cfg: val.indices = {indices}')
    (warning,) = coco_files.check(cfg)
    assert f'val_evaluator.ann_file: {untested} of 4 images of val.json' in warning
    assert coco_files.evaluate(cfg) < 1


def test_objects_that_are_missed_by_their_id() -> None:
    cfg = prepare("val: annotations[3]['id'] = 0")
    (warning,) = coco_files.check(cfg)
    assert 'annotations[3].id is 0' in warning
    assert coco_files.evaluate(cfg) < 1


@pytest.mark.parametrize(
    ('trained', 'difference'),
    [
        ((), None),
        (NAMES, None),
        ([*NAMES], None),
        (('dog', 'cat', 'cow'), "label 0 was 'dog' and is 'cat', 1 was 'cat' and is"),
        (('cat', 'dog'), "label 2 was None and is 'cow'"),
    ],
)
def test_classes_of_a_checkpoint(
    trained: tuple[str, ...], difference: str | None
) -> None:
    message = compare_classes(coco_files.make_config(), 'val', trained, 'a.pth')
    if difference is None:
        assert message is None
    else:
        for part in (difference, 'a.pth', 'val_dataloader.dataset'):
            assert part in message
