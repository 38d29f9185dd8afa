"""Malformed annotation files: one line with the file and the place, never silence."""

# ruff: noqa: E501 - a row is a line

import json
import os
from collections.abc import Iterator
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import pytest

from mmsnn.utils.annotations import read_annotations

from . import coco_files
from .coco_files import fail, make_config, prepare

pytestmark = pytest.mark.usefixtures('root')


def test_whole_file() -> None:
    found = read_annotations('train.json')
    assert list(found.images) == [7, 8, 9, 10]
    assert found.categories == {0: 'cat', 10: 'dog', 20: 'cow'}
    assert len(found.objects) == 8


WHOLE = json.dumps(coco_files.make_content()).encode()
BYTES = {
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
    message = fail(make_config())
    assert message.startswith('train.json: ')
    assert problem in message


@pytest.mark.parametrize('kind', ['fifo', 'device'])
def test_no_regular_file(kind: str) -> None:
    path = Path('train.json')
    path.unlink()
    if kind == 'fifo':
        os.mkfifo(path)
    else:
        path.symlink_to('/dev/zero')
    assert fail(make_config()) == 'train.json: is not a file'


# A place in the file, what is said of it, and the values in it that are refused.
VALUES = """
annotations, images, categories | must be a list | {}; None; 'x'; 3
annotations[1], images[1], categories[1] | must be an object | []; None; 'x'; 3
images, categories | is empty | []
annotations[5].bbox | must be four | [1, 2, 3]; [1, 2, 3, 4, 5]; []; None; 'abcd'; 7; {}; [[1, 2], [3, 4]]
annotations[5].bbox | must be four | ['1', '2', '3', '4']; [1, 2, None, 4]; [NAN, 1, 5, 5]; [1, 1, INF, 5]
annotations[5].bbox | must be four | [1, -INF, 5, 5]; [1, 10**400, 5, 5]; {'x': 1, 'y': 1, 'w': 5, 'h': 5}
annotations[5].area | must be a finite | None; '9'; NAN; INF; [9]; 10**400
annotations[5].iscrowd | must be | None; '0'; 2; -1; [0]; 0.5
images[1].id, categories[1].id, annotations[1].id | must | None; [1]; {}; 1.5; NAN; True
annotations[1].image_id, annotations[1].category_id | must | None; [1]; {}; 1.5; NAN; True
categories[1].id | must be an integer | '10'; 'dog'
annotations[1].category_id | must | '10'
images[2].id | 'c' must | 'c'
images[3].height, images[3].width | must | 0; -5; None; '40'; NAN; INF; [40]
images[3].file_name | must | ''; None; 3; ['a']; 'a\\0b'
categories[2].name | must | ''; None; 3; ['a']
annotations[2].id | 1 is also the id of annotations[0] | 1
images[2].id | 7 is also the id of images[0] | 7
categories[2].id | 0 is also the id of categories[0] | 0
"""
KEYS = """
annotations images categories
annotations[2].id annotations[2].image_id annotations[2].category_id annotations[2].bbox
annotations[2].area images[2].id images[2].file_name images[2].height images[2].width
categories[2].id categories[2].name
"""


def values() -> Iterator[tuple[str, str, str]]:
    for row in VALUES.strip().splitlines():
        places, says, given = row.split(' | ')
        for place in places.split(', '):
            yield from ((place, value, says) for value in given.split('; '))


def find(content: Any, place: str) -> tuple[Any, Any]:
    """Return what holds a place, and its key there."""
    steps = place.replace('[', '.').replace(']', '').split('.')
    *way, key = [int(step) if step.isdigit() else step for step in steps]
    return reduce(getitem, way, content), key


def message_of(content: Any) -> str:
    coco_files.write(Path('train.json'), content)
    message = fail(make_config())
    assert 'train.json' in message
    assert len(message) < 300
    return message


@pytest.mark.parametrize(('place', 'value', 'says'), [*values()])
def test_malformed(place: str, value: str, says: str) -> None:
    content = coco_files.make_content()
    holder, key = find(content, place)
    holder[key] = eval(value, vars(coco_files))
    assert f'{place} {says}' in message_of(content)


@pytest.mark.parametrize('place', KEYS.split())
def test_missing(place: str) -> None:
    content = coco_files.make_content()
    holder, key = find(content, place)
    del holder[key]
    assert f'{place.rpartition(".")[0]} lacks {key!r}'.strip() in message_of(content)


UNUSUAL = """
[each.update(id=str(each['id'])) for each in images]; [each.update(image_id=str(each['image_id'])) for each in annotations]
[each.update(id=float(each['id'])) for each in images]; [each.update(image_id=float(each['image_id'])) for each in annotations]
for each in annotations: each['category_id'] = float(each['category_id'])
for each in annotations: del each['iscrowd']
images[0]['height'] = 40.0
content['licenses'] = [{'id': 1}]
categories[0]['id'] = 99; [each.update(category_id=99) for each in annotations[::3]]
del annotations[6:8]
"""


@pytest.mark.parametrize('change', UNUSUAL.strip().splitlines())
def test_unusual_but_right(change: str) -> None:
    cfg = prepare(f'train: {change}')
    assert not coco_files.check(cfg)
    objects = json.loads(Path('train.json').read_text())['annotations']
    assert coco_files.count_boxes(cfg) == len(objects)
    if 'iscrowd' not in change:
        cfg.val_evaluator.ann_file = cfg.val_dataloader.dataset.ann_file = 'train.json'
        assert not coco_files.check(cfg)
        assert coco_files.evaluate(cfg) == 1
