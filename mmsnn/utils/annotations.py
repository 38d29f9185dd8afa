"""Reading and checking of annotation files in COCO's format."""

import gc
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from reprlib import repr as shorten
from typing import Any

from .errors import UserError
from .paths import what_is_wrong

# No coordinate or area in pixels is larger, and it fits a float32.
_LARGEST = 1e12
# Larger integers lose digits in the float64 arrays of pycocotools.
_LARGEST_ID = 2**53


@dataclass(frozen=True)
class Annotations:
    """A checked annotation file.

    Attributes:
        path: The file.
        images: The entries of ``images`` by id.
        categories: Names by id, in the order of the file, which is also the order of
            MMDetection's labels.
        objects: The entries of ``annotations``.
    """

    path: str
    images: dict[int | str, dict[str, Any]]
    categories: dict[int, str]
    objects: list[dict[str, Any]]


def read_annotations(path: str, *, needs_objects: bool = True) -> Annotations:
    """Read an annotation file in COCO's format.

    Args:
        path: A local file.
        needs_objects: Whether boxes are needed, for training or evaluation. If not,
            ``annotations`` may be missing, as in the files of COCO's test images.

    Raises:
        UserError: If the file has another format, or if an entry lacks a key, has a
            value of the wrong type, a box that is not finite, or the id of another
            entry. The message names the first such entry.
    """
    content = _parse(path)
    if not isinstance(content, dict):
        raise UserError(
            f'{path}: must hold an object with images, annotations and categories, but '
            f'got {shorten(content)}'
        )
    if not needs_objects:
        content.setdefault('annotations', [])
    for section, fields in _SECTIONS.items():
        if section not in content:
            raise UserError(f'{path}: lacks {section!r}')
        _check_section(path, section, content[section], fields)
    for section in ('images', 'categories'):
        if not content[section]:
            raise UserError(f'{path}: {section} is empty')
    _check_optional(path, content)
    return Annotations(
        path,
        {image['id']: image for image in content['images']},
        {category['id']: category['name'] for category in content['categories']},
        content['annotations'],
    )


def _parse(path: str) -> Any:
    """Return the content of a JSON file.

    Raises:
        UserError: If it is not JSON, or not a regular file: reading a FIFO would block.
    """
    if not Path(path).is_file():
        raise UserError(f'{path}: {what_is_wrong(path)}')
    try:
        with without_garbage_collection(), open(path, encoding='utf-8') as file:
            return json.load(file)
    except json.JSONDecodeError as error:
        if Path(path).stat().st_size == 0:
            raise UserError(f'{path}: is empty') from error
        raise UserError(f'{path}: is not valid JSON: {error}') from error
    except UnicodeDecodeError as error:
        raise UserError(
            f'{path}: is not UTF-8 text: {error.reason} at byte {error.start}'
        ) from error
    except (OSError, RecursionError, ValueError) as error:
        raise UserError(f'{path}: cannot be read: {error}') from error


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Pause Python's garbage collector, which halves the time to read a large file.

    Otherwise the collector visits the millions of new objects again and again.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _is_integer(value: Any) -> bool:
    # some tools write every number as a float
    integer = type(value) is int or (type(value) is float and value.is_integer())
    return integer and -_LARGEST_ID <= value <= _LARGEST_ID


def _is_id(value: Any) -> bool:
    return type(value) is str or _is_integer(value)


def _is_text(value: Any) -> bool:
    return type(value) is str and value != '' and '\0' not in value


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and -_LARGEST < value < _LARGEST


def _is_length(value: Any) -> bool:
    return _is_number(value) and value > 0


def _is_box(value: Any) -> bool:
    return type(value) is list and len(value) == 4 and all(map(_is_number, value))


def _is_flag(value: Any) -> bool:
    return type(value) in (bool, int, float) and value in (0, 1)


_Field = tuple[Callable[[Any], bool], str]
_INTEGER: _Field = (_is_integer, 'an integer up to 2**53')
_ID: _Field = (_is_id, 'a string or an integer up to 2**53')
_TEXT: _Field = (_is_text, 'a string that is not empty')
_LENGTH: _Field = (_is_length, 'a positive number of pixels')
# The keys of each entry that MMDetection and pycocotools read.
_SECTIONS: dict[str, dict[str, _Field]] = {
    'images': {'id': _ID, 'file_name': _TEXT, 'height': _LENGTH, 'width': _LENGTH},
    'categories': {'id': _INTEGER, 'name': _TEXT},
    'annotations': {
        'id': _INTEGER,
        'image_id': _ID,
        'category_id': _INTEGER,
        'bbox': (_is_box, 'four finite numbers x, y, width, height'),
        'area': (_is_number, 'a finite number'),
    },
}


def _check_section(
    path: str, section: str, items: Any, fields: Mapping[str, _Field]
) -> None:
    """Check the entries of one section.

    Raises:
        UserError: If an entry is invalid; the message names the first.
    """
    if not isinstance(items, list):
        raise UserError(f'{path}: {section} must be a list, but got {shorten(items)}')
    for index, item in enumerate(items):
        try:
            for key, (valid, allowed) in fields.items():
                if not valid(item[key]):
                    raise UserError(
                        f'{path}: {section}[{index}].{key} must be {allowed}, but got '
                        f'{shorten(item[key])}'
                    )
        except KeyError:
            raise UserError(f'{path}: {section}[{index}] lacks {key!r}') from None
        except (IndexError, TypeError):
            raise UserError(
                f'{path}: {section}[{index}] must be an object, but got {shorten(item)}'
            ) from None
    first: dict[Any, int] = {}
    for index, item in enumerate(items):
        earlier = first.setdefault(item['id'], index)
        if earlier != index:
            raise UserError(
                f'{path}: {section}[{index}].id {shorten(item["id"])} is also the id '
                f'of {section}[{earlier}]'
            )


def _check_optional(path: str, content: Mapping[str, Any]) -> None:
    """Check that image ids have one type, and the optional flag ``iscrowd``.

    Raises:
        UserError: If an entry is invalid; the message names the first.
    """
    for index, item in enumerate(content['annotations']):
        crowd = item.get('iscrowd', 0)
        if not _is_flag(crowd):
            raise UserError(
                f'{path}: annotations[{index}].iscrowd must be 0 or 1, but got '
                f'{shorten(crowd)}'
            )
    first = content['images'][0]['id']
    text = type(first) is str
    for index, image in enumerate(content['images']):
        if (type(image['id']) is str) != text:
            # pycocotools sorts the ids
            raise UserError(
                f'{path}: images[{index}].id {shorten(image["id"])} must have the type '
                f'of images[0].id, {shorten(first)}'
            )


__all__ = ['Annotations', 'read_annotations', 'without_garbage_collection']
