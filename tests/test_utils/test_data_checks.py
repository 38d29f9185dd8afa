"""Data that disagrees with itself, with its evaluator and with the model's heads."""

from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from mmsnn.utils.errors import UserError

from . import coco_files
from .coco_files import fail, rewrite

Content = dict[str, Any]
A = 'annotations'
pytestmark = pytest.mark.usefixtures('root')


# Classes ------------------------------------------------------------------------

CLASSES = 'train_dataloader.dataset.metainfo.classes'


@pytest.mark.parametrize(
    ('classes', 'problem'),
    [
        ('cat', "must be a list of distinct names, or a file .* 'cat'"),
        ([], 'must be a list of distinct names'),
        (['cat', 'cat', 'dog'], 'must be a list of distinct names'),
        (['cat', 1, 'dog'], 'must be a list of distinct names'),
        (dict(cat=1), 'must be a list of distinct names'),
        (['cat', 'dog', 'Cow'], r"1 of 3 classes are no category of .*'Cow'.*'cow'"),
        (['dog', 'cat', 'cow'], 'in another order'),
    ],
)
def test_classes_that_do_not_fit(classes: Any, problem: str) -> None:
    cfg = coco_files.make_config()
    for split in ('train', 'val'):
        cfg[f'{split}_dataloader'].dataset.metainfo.classes = classes
    if isinstance(classes, list):
        cfg.model.bbox_head.num_classes = len(classes)
    with pytest.raises(UserError, match=rf'^{CLASSES}.*{problem}'):
        coco_files.check(cfg)


def test_classes_that_are_not_given() -> None:
    cfg = coco_files.make_config(model__bbox_head__num_classes=80)
    for split in ('train', 'val'):
        del cfg[f'{split}_dataloader'].dataset['metainfo']
    assert "77 of 80 classes are no category of train.json: ['person'" in fail(cfg)


def test_the_old_name_of_classes() -> None:
    cfg = coco_files.make_config(
        train_dataloader__dataset__metainfo=dict(CLASSES=coco_files.NAMES)
    )
    assert 'metainfo.CLASSES has no effect' in fail(cfg)


@pytest.mark.parametrize('as_file', [False, True])
def test_some_of_the_categories(as_file: bool) -> None:
    classes: Any = ['cat', 'cow']
    if as_file:
        Path('names.txt').write_text('cat\ncow\n')
        classes = 'names.txt'
    cfg = coco_files.make_config(model__bbox_head__num_classes=2)
    for split in ('train', 'val'):
        cfg[f'{split}_dataloader'].dataset.metainfo.classes = classes
    assert not coco_files.check(cfg)
    assert coco_files.count_boxes(cfg) == 5
    assert coco_files.evaluate(cfg) == 1


def test_a_category_name_twice() -> None:
    rewrite('train', lambda content: content['categories'][1].update(name='cat'))
    cfg = coco_files.make_config(model__bbox_head__num_classes=2)
    for split in ('train', 'val'):
        cfg[f'{split}_dataloader'].dataset.metainfo.classes = ['cat', 'cow']
    assert 'twice' in fail(cfg)


def test_splits_with_other_classes() -> None:
    cfg = coco_files.make_config(
        val_dataloader__dataset__metainfo__classes=['dog', 'cat', 'cow']
    )
    assert 'are not those of train_dataloader.dataset' in fail(cfg)


# Heads -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('model', 'where', 'number'),
    [
        (dict(bbox_head=dict(num_classes=2)), 'bbox_head', 2),
        (dict(bbox_head=dict(num_classes=4)), 'bbox_head', 4),
        (
            dict(roi_head=dict(bbox_head=[dict(num_classes=3), dict(num_classes=1)])),
            'roi_head.bbox_head.1',
            1,
        ),
        # the default of its base class
        (
            dict(roi_head=dict(bbox_head=dict(type='Shared2FCBBoxHead'))),
            'roi_head.bbox_head',
            80,
        ),
        (
            dict(
                bbox_head=dict(num_classes=3),
                mask_head=dict(type='mmdet.FCNMaskHead', num_classes=80),
            ),
            'mask_head',
            80,
        ),
        (dict(detector=dict(bbox_head=dict(num_classes=9))), 'detector.bbox_head', 9),
    ],
)
def test_heads_with_other_numbers(model: Any, where: str, number: int) -> None:
    cfg = coco_files.make_config()
    cfg.model = model
    assert fail(cfg) == (
        f'model.{where}.num_classes: {number}, but train_dataloader.dataset has 3 '
        "classes: ('cat', 'dog', 'cow')"
    )


def test_heads_without_classes() -> None:
    cfg = coco_files.make_config()
    cfg.model = dict(
        backbone=dict(num_classes=1000),
        rpn_head=dict(type='RPNHead', num_classes=1),
        roi_head=dict(
            type='StandardRoIHead',
            semantic_head=dict(num_classes=183),
            bbox_head=dict(type='Shared2FCBBoxHead', num_classes=3),
        ),
    )
    assert not coco_files.check(cfg)


def test_heads_that_count_words() -> None:
    cfg = coco_files.make_config(model__bbox_head__num_classes=256)
    for split in ('train', 'val'):
        cfg[f'{split}_dataloader'].dataset.return_classes = True
    assert not coco_files.check(cfg)


@pytest.mark.parametrize(
    ('dataset', 'number'),
    [
        (dict(type='CIFAR10'), 10),
        (dict(type='mmsnn.ImageNetSubset', num_classes=20, seed=0), 20),
        (dict(type='RepeatDataset', times=2, dataset=dict(type='CIFAR100')), 100),
    ],
)
def test_heads_of_classifiers(dataset: Any, number: int) -> None:
    cfg = Config(
        dict(
            default_scope='mmpretrain',
            model=dict(head=dict(type='LinearClsHead', num_classes=number)),
            train_dataloader=dict(dataset=dataset),
        )
    )
    assert not coco_files.check(cfg)
    cfg.model.head.num_classes = number + 1
    assert f'model.head.num_classes: {number + 1}, but train' in fail(cfg)


# Objects --------------------------------------------------------------------------

UNUSABLE = {
    'category_id': (dict(category_id=99), 'of categories that the file does not have'),
    'image_id': (dict(image_id=99), 'of images that the file does not have'),
    'negative': (dict(bbox=[5, 5, -3, 4]), 'boxes of less than one pixel'),
    'empty': (dict(bbox=[0, 0, 0, 0]), 'boxes of less than one pixel'),
    'right of it': (dict(bbox=[60, 0, 5, 5]), 'boxes outside their images'),
    'left of it': (dict(bbox=[-9, 0, 9, 5]), 'boxes outside their images'),
    'area': (dict(area=0), 'no area'),
}


@pytest.mark.parametrize('name', UNUSABLE)
def test_objects_that_are_dropped(name: str) -> None:
    change, fault = UNUSABLE[name]
    cfg = coco_files.make_config()
    rewrite('train', lambda content: content[A][3].update(change))
    (warning,) = coco_files.check(cfg)
    key = next(iter(change))
    assert warning.startswith('train_dataloader.dataset: 1 of 8 objects of train.json')
    assert fault in warning
    assert f'annotations[3].{key}' in warning
    assert coco_files.count_boxes(cfg) == 7

    rewrite('train', lambda content: [each.update(change) for each in content[A]])
    message = fail(cfg)
    assert 'none of the 8 objects of train.json can be used: 8 ' in message
    assert fault in message


@pytest.mark.parametrize(
    'change',
    [dict(iscrowd=1), dict(ignore=True)],
    ids=str,
)
def test_objects_that_are_not_to_be_learned(change: Content) -> None:
    rewrite('train', lambda content: content[A][3].update(change))
    assert not coco_files.check(coco_files.make_config())
    rewrite('train', lambda content: [each.update(change) for each in content[A]])
    assert 'none of the 8 objects' in fail(coco_files.make_config())


def test_several_sets_of_which_one_has_no_objects() -> None:
    rewrite('other', lambda content: content.pop(A))
    cfg = coco_files.make_config()
    labeled = cfg.train_dataloader.dataset
    unlabeled = {**labeled, 'ann_file': 'other.json'}
    cfg.train_dataloader.dataset = dict(
        type='ConcatDataset', datasets=[labeled, unlabeled]
    )
    where = 'train_dataloader.dataset.datasets'
    assert coco_files.check(cfg) == [f'{where}.1: other.json has no objects']
    labeled.ann_file = 'other.json'
    assert fail(cfg) == f'{where}.0: other.json has no objects'


def test_images_that_are_filtered() -> None:
    cfg = coco_files.make_config(
        train_dataloader__dataset__filter_cfg=dict(min_size=41)
    )
    assert 'in images too small' in fail(cfg)


# Files ----------------------------------------------------------------------------


def test_a_folder_without_the_images(root: Path) -> None:
    (root / 'empty').mkdir()
    cfg = coco_files.make_config(train_dataloader__dataset__data_prefix__img='empty')
    assert fail(cfg) == (
        "train_dataloader.dataset: 'empty' has none of the images of train.json, such "
        "as '0.png'"
    )


@pytest.mark.parametrize('prefix', [None, 'images', dict(img_path='')])
def test_no_prefix(prefix: Any) -> None:
    cfg = coco_files.make_config()
    cfg.train_dataloader.dataset.data_prefix = prefix
    assert 'data_prefix must be a dict whose img' in fail(cfg)


def test_no_annotation_file() -> None:
    cfg = coco_files.make_config(train_dataloader__dataset__ann_file='')
    assert fail(cfg) == 'train_dataloader.dataset.ann_file is missing'


# Others ----------------------------------------------------------------------------


def test_what_is_not_checked() -> None:
    """Files of other formats, on other machines, or of other metrics."""
    for changes in (
        dict(train_dataloader__dataset__type='mmdet.CocoPanopticDataset'),
        dict(train_dataloader__dataset__ann_file='s3://bucket/train.json'),
        dict(val_evaluator__ann_file='s3://bucket/val.json'),
        dict(val_evaluator=dict(type='mmdet.CocoPanopticMetric', ann_file='none')),
    ):
        assert not coco_files.check(coco_files.make_config(**changes))
