"""Malformed annotation files: one line with the file and the place, never silence."""

import json
import math
import os
from collections.abc import Callable
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import pytest

from mmsnn.utils.annotations import read_annotations
from mmsnn.utils.errors import UserError

from . import coco_files

Content = dict[str, Any]
NAN, INF = math.nan, math.inf
pytestmark = pytest.mark.usefixtures('root')


def test_whole_file() -> None:
    found = read_annotations('train.json')
    assert list(found.images) == [7, 8, 9, 10]
    assert found.categories == {0: 'cat', 10: 'dog', 20: 'cow'}
    assert len(found.objects) == 8
    cfg = coco_files.make_config()
    assert not coco_files.check(cfg)
    assert coco_files.count_boxes(cfg) == 8
    assert coco_files.evaluate(cfg) == 1


# Files that are not JSON -----------------------------------------------------------

WHOLE = json.dumps(coco_files.make_content()).encode()
BYTES = {
    'empty': (b'', 'is empty'),
    'truncated': (WHOLE[:200], 'is not valid JSON'),
    'text': (b'hello', 'is not valid JSON'),
    'byte order mark': (b'\xef\xbb\xbf' + WHOLE, 'BOM'),
    'utf-16': (WHOLE.decode().encode('utf-16'), 'is not UTF-8 text'),
    'binary': (bytes(range(256)), 'is not UTF-8 text'),
    'two documents': (WHOLE + WHOLE, 'Extra data'),
    'deeply nested': (b'[' * 100_000, 'cannot be read'),
    'a long number': (b'{"images": ' + b'1' * 5000 + b'}', 'cannot be read'),
    'a list': (b'[1, 2]', 'must hold an object with images, annotations'),
    'a string': (b'"images"', 'must hold an object'),
    'null': (b'null', 'must hold an object'),
}


@pytest.mark.parametrize('name', BYTES)
def test_not_json(name: str) -> None:
    content, problem = BYTES[name]
    Path('train.json').write_bytes(content)
    message = coco_files.fail(coco_files.make_config())
    assert message.startswith('train.json: ')
    assert problem in message


@pytest.mark.parametrize('kind', ['fifo', 'folder', 'device'])
def test_no_regular_file(kind: str) -> None:
    path = Path('train.json')
    path.unlink()
    if kind == 'fifo':
        os.mkfifo(path)
    elif kind == 'folder':
        path.mkdir()
    else:
        path.symlink_to('/dev/zero')
    with pytest.raises(UserError, match=r'^train\.json: is not a file$'):
        coco_files.check(coco_files.make_config())


# Sections and entries --------------------------------------------------------------


def put(*path: Any) -> Callable[[Content], None]:
    """Return a change: the last of ``path`` is put where the others lead."""

    *way, key, value = path
    return lambda content: reduce(getitem, way, content).__setitem__(key, value)


def drop(*path: Any) -> Callable[[Content], None]:
    *way, key = path
    return lambda content: reduce(getitem, way, content).__delitem__(key)


A = 'annotations'
MALFORMED = {
    **{f'{name} missing': (drop(name), f'lacks {name!r}') for name in (A, 'images')},
    'categories missing': (drop('categories'), "lacks 'categories'"),
    'no images': (put('images', []), 'images is empty'),
    'no categories': (put('categories', []), 'categories is empty'),
    **{
        f'{name} is {value!r}': (put(name, value), f'{name} must be a list')
        for name in (A, 'images', 'categories')
        for value in ({}, None, 'x', 3)
    },
    **{
        f'{name}[1] is {value!r}': (put(name, 1, value), f'{name}[1] must be an object')
        for name in (A, 'images', 'categories')
        for value in ([], None, 'x', 3)
    },
    **{
        f'{name}[2] lacks {key}': (drop(name, 2, key), f'{name}[2] lacks {key!r}')
        for name, keys in {
            A: ('id', 'image_id', 'category_id', 'bbox', 'area'),
            'images': ('id', 'file_name', 'height', 'width'),
            'categories': ('id', 'name'),
        }.items()
        for key in keys
    },
    **{
        f'bbox {value!r}': (put(A, 5, 'bbox', value), f'{A}[5].bbox must be four')
        for value in (
            *([1, 2, 3], [1, 2, 3, 4, 5], [], None, 'abcd', 7, {}, [[1, 2], [3, 4]]),
            *(['1', '2', '3', '4'], [1, 2, None, 4], [NAN, 1, 5, 5], [1, 1, INF, 5]),
            *([1, -INF, 5, 5], [1, 10**400, 5, 5], {'x': 1, 'y': 1, 'w': 5, 'h': 5}),
        )
    },
    **{
        f'area {value!r}': (put(A, 5, 'area', value), f'{A}[5].area must be a finite')
        for value in (None, '9', NAN, INF, [9], 10**400)
    },
    **{
        f'iscrowd {value!r}': (put(A, 5, 'iscrowd', value), f'{A}[5].iscrowd must be')
        for value in (None, '0', 2, -1, [0], 0.5)
    },
    **{
        f'{name} {key} {value!r}': (put(name, 1, key, value), f'{name}[1].{key} must')
        for name, key in (
            ('images', 'id'),
            ('categories', 'id'),
            (A, 'id'),
            (A, 'image_id'),
            (A, 'category_id'),
        )
        for value in (None, [1], {}, 1.5, NAN, True)
    },
    **{
        f'category id {value!r}': (
            put('categories', 1, 'id', value),
            'categories[1].id must be an integer',
        )
        for value in ('10', 'dog')
    },
    'category_id of text': (put(A, 1, 'category_id', '10'), f'{A}[1].category_id must'),
    **{
        f'{key} {value!r}': (put('images', 3, key, value), f'images[3].{key} must')
        for key in ('height', 'width')
        for value in (0, -5, None, '40', NAN, INF, [40])
    },
    **{
        f'file_name {value!r}': (put('images', 3, 'file_name', value), 'images[3].file')
        for value in ('', None, 3, ['a'], 'a\0b')
    },
    **{
        f'name {value!r}': (put('categories', 2, 'name', value), 'categories[2].name')
        for value in ('', None, 3, ['a'])
    },
    **{
        f'{name} id twice': (
            put(name, 2, 'id', coco_files.make_content()[name][0]['id']),
            f'is also the id of {name}[0]',
        )
        for name in (A, 'images', 'categories')
    },
    'all images of one id': (
        lambda content: [image.update(id=1) for image in content['images']],
        'images[1].id 1 is also the id of images[0]',
    ),
    'one image id of text': (put('images', 2, 'id', 'c'), "images[2].id 'c' must"),
    'no objects': (put(A, []), 'has no objects'),
}


@pytest.mark.parametrize('name', MALFORMED)
def test_malformed(name: str) -> None:
    change, problem = MALFORMED[name]
    coco_files.rewrite('train', change)
    message = coco_files.fail(coco_files.make_config())
    assert 'train.json' in message
    assert problem in message
    assert len(message) < 300


def test_objects_that_are_missed_by_their_id() -> None:
    coco_files.rewrite('val', put(A, 3, 'id', 0))
    (warning,) = coco_files.check(coco_files.make_config())
    assert 'annotations[3].id is 0' in warning
    assert coco_files.evaluate(coco_files.make_config()) < 1


# What MMDetection takes ---------------------------------------------------------------

UNUSUAL = {
    'ids of text': lambda content: [
        entry.update({key: str(entry[key])})
        for name, key in (('images', 'id'), (A, 'image_id'))
        for entry in content[name]
    ],
    'ids as floats': lambda content: [
        entry.update({key: float(entry[key])})
        for name, key in (('images', 'id'), (A, 'image_id'), (A, 'category_id'))
        for entry in content[name]
    ],
    'no iscrowd': lambda content: [entry.pop('iscrowd') for entry in content[A]],
    'sizes as floats': put('images', 0, 'height', 40.0),
    'more keys': put('licenses', [{'id': 1}]),
    'categories in another order of ids': lambda content: (
        content['categories'][0].update(id=99),
        [entry.update(category_id=99) for entry in content[A][::3]],
    ),
    'an image without objects': lambda content: content[A].__delitem__(slice(6, 8)),
}


@pytest.mark.parametrize('name', UNUSUAL)
def test_unusual_but_right(name: str) -> None:
    content = coco_files.make_content()
    UNUSUAL[name](content)
    coco_files.write(Path('train.json'), content)
    cfg = coco_files.make_config()
    assert not coco_files.check(cfg)
    assert coco_files.count_boxes(cfg) == len(content[A])
    if name != 'no iscrowd':
        cfg.val_evaluator.ann_file = cfg.val_dataloader.dataset.ann_file = 'train.json'
        assert not coco_files.check(cfg)
        assert coco_files.evaluate(cfg) == 1


def test_images_without_annotations_can_be_listed() -> None:
    coco_files.rewrite('val', drop(A))
    cfg = coco_files.make_config(val_evaluator__format_only=True)
    assert not coco_files.check(cfg)
    with pytest.raises(UserError, match=f"lacks '{A}'"):
        coco_files.check(coco_files.make_config())
