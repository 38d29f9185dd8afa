"""Evaluators whose annotation file is not the data set's."""

from typing import Any

import pytest

from . import coco_files
from .coco_files import fail, rewrite

Content = dict[str, Any]
A = 'annotations'
pytestmark = pytest.mark.usefixtures('root')


EVALUATOR = 'val_evaluator.ann_file'


def shift_boxes(content: Content) -> None:
    for entry in content[A]:
        entry['bbox'][0] += 1


OTHER_FILES = {
    'no such image': (
        lambda content: content['images'].__delitem__(2),
        'lacks 1 of 4 images of val.json, such as id 9',
    ),
    'another picture': (
        lambda content: content['images'][2].update(file_name='other.png'),
        "image 9 is '2.png' in val.json, but 'other.png' in other.json",
    ),
    'other categories': (
        lambda content: content['categories'].reverse(),
        'in other.json in another order',
    ),
    'other objects': (shift_boxes, '4 of 4 images have other objects in other.json'),
    'objects in one of them': (
        lambda content: content[A].__delitem__(slice(0, 8)),
        '4 of 4 images have other objects in other.json',
    ),
    'no crowds': (lambda content: content[A][4].pop('iscrowd'), "[4] lacks 'iscrowd'"),
    'malformed': (
        lambda content: content[A][4].update(bbox=[1]),
        'annotations[4].bbox must be four',
    ),
}


@pytest.mark.parametrize('name', OTHER_FILES)
def test_evaluators_with_another_file(name: str) -> None:
    change, problem = OTHER_FILES[name]
    rewrite('other', change)
    message = fail(coco_files.make_config(val_evaluator__ann_file='other.json'))
    assert problem in message
    assert 'other.json' in message


def test_masks_that_are_measured() -> None:
    cfg = coco_files.make_config(val_evaluator__metric=['bbox', 'segm'])
    assert "annotations[0] lacks 'segmentation'" in fail(cfg)


def test_evaluators_without_a_file() -> None:
    cfg = coco_files.make_config(val_evaluator__ann_file=None)
    assert not coco_files.check(cfg)
    rewrite('val', lambda content: content[A].clear())
    assert fail(cfg) == 'val_dataloader.dataset: val.json has no objects'


def test_evaluators_with_a_copy() -> None:
    rewrite('other', lambda content: content[A].reverse())
    cfg = coco_files.make_config(val_evaluator__ann_file='other.json')
    assert not coco_files.check(cfg)
    assert coco_files.evaluate(cfg) == 1


def test_evaluators_with_some_other_objects() -> None:
    rewrite('other', lambda content: content[A][0].update(bbox=[3, 3, 9, 9]))
    cfg = coco_files.make_config(val_evaluator__ann_file='other.json')
    assert coco_files.check(cfg) == [
        f'{EVALUATOR}: 1 of 4 images have other objects in other.json than in val.json'
    ]


@pytest.mark.parametrize(
    ('indices', 'untested'),
    [(1, 3), (-1, 3), ([0, 2], 2), (4, 0), (9, 0), (None, 0)],
)
def test_evaluators_of_more_images(indices: Any, untested: int) -> None:
    cfg = coco_files.make_config(val_dataloader__dataset__indices=indices)
    found = coco_files.check(cfg)
    if untested:
        (warning,) = found
        assert warning.startswith(f'{EVALUATOR}: {untested} of 4 images of val.json')
        assert coco_files.evaluate(cfg) < 1
    else:
        assert not found
