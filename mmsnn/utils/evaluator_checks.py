"""Checks that an evaluator uses the annotations of the tested images."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from .annotations import Annotations, read_annotations
from .class_checks import check_categories
from .errors import UserError

Ids = list[int | str]


class TestedSet(NamedTuple):
    """A data set whose images are tested: its config, classes and annotations."""

    dataset: Mapping[str, Any]
    names: Sequence[str]
    found: Annotations


def check_evaluator(
    where: str,
    metric: Mapping[str, Any],
    sets: Sequence[TestedSet],
    warn: Callable[[str], None],
) -> None:
    """Check the annotation file of a ``CocoMetric`` against the data sets of its split.

    Args:
        where: The metric's path in the config.
        metric: Its config, with ``ann_file``.
        sets: All data sets whose images are tested.
        warn: Called with a message for each difference that is not an error.

    Raises:
        UserError: If the file is malformed, lacks an image or a category, or has
            other images or objects under the same image ids.
    """
    where, path = f'{where}.ann_file', metric['ann_file']
    own = next((each.found for each in sets if _same_file(each.found.path, path)), None)
    truth = own or read_annotations(path)
    masks = 'segm' in metric.get('metric', 'bbox')
    needed = ['iscrowd', 'segmentation'] if masks else ['iscrowd']
    _check_fields(where, truth, needed, warn)
    tested: set[int | str] = set()
    for dataset, names, found in sets:
        ids = _tested_ids(dataset, found)
        tested.update(ids)
        if truth is not found:
            check_categories(where, names, truth)
            _check_images(where, truth, found, ids)
            _check_objects(where, truth, found, ids, warn)
    untested = len(truth.images) - len(tested)
    if untested:
        warn(
            f'{where}: {untested} of {len(truth.images)} images of {path} are not in '
            'the data set; their objects count as missed'
        )


def _same_file(first: str, second: str) -> bool:
    return Path(second).exists() and Path(first).samefile(second)


def _tested_ids(dataset: Mapping[str, Any], found: Annotations) -> Ids:
    """Return the ids of the images that the data set's option ``indices`` selects."""
    ids = list(found.images)
    indices = dataset.get('indices')
    if indices is None:
        return ids
    if isinstance(indices, int):
        return ids[:indices] if indices >= 0 else ids[indices:]
    return [ids[index] for index in indices if -len(ids) <= index < len(ids)]


def _check_fields(
    where: str, truth: Annotations, needed: Sequence[str], warn: Callable[[str], None]
) -> None:
    """Check the keys of objects that pycocotools reads and MMDetection does not.

    Raises:
        UserError: If an object lacks one of the ``needed`` keys.
    """
    for index, item in enumerate(truth.objects):
        place = f'{where}: {truth.path}: annotations[{index}]'
        for key in needed:
            if key not in item:
                raise UserError(f'{place} lacks {key!r}, which the evaluation needs')
        if item['id'] == 0:
            warn(f'{place}.id is 0: pycocotools counts this object as missed')


def _check_images(where: str, truth: Annotations, found: Annotations, ids: Ids) -> None:
    """Check that both files have the same images under the same ids.

    Raises:
        UserError: If they do not.
    """
    missing = [id_ for id_ in ids if id_ not in truth.images]
    if missing:
        raise UserError(
            f'{where}: {truth.path} lacks {len(missing)} of {len(ids)} images of '
            f'{found.path}, such as id {missing[0]!r}'
        )
    for id_ in ids:
        names = [
            PurePosixPath(each.images[id_]['file_name']).name for each in (found, truth)
        ]
        if names[0] != names[1]:
            raise UserError(
                f'{where}: image {id_!r} is {names[0]!r} in {found.path}, but '
                f'{names[1]!r} in {truth.path}'
            )


def _check_objects(
    where: str,
    truth: Annotations,
    found: Annotations,
    ids: Ids,
    warn: Callable[[str], None],
) -> None:
    """Compare the boxes of both files.

    Raises:
        UserError: If they differ for every image with objects.
    """
    expected, given = _boxes(found), _boxes(truth)
    with_objects = [id_ for id_ in ids if id_ in expected or id_ in given]
    others = sum(expected.get(id_) != given.get(id_) for id_ in with_objects)
    if not others:
        return
    message = (
        f'{where}: {others} of {len(with_objects)} images have other objects in '
        f'{truth.path} than in {found.path}'
    )
    if others == len(with_objects):
        raise UserError(message)
    warn(message)


def _boxes(annotations: Annotations) -> dict[int | str, list[tuple[Any, ...]]]:
    """Return the sorted (category, box) of each image with objects."""
    boxes = defaultdict(list)
    for item in annotations.objects:
        name = annotations.categories.get(item['category_id'], '')
        boxes[item['image_id']].append((name, *item['bbox']))
    return {id_: sorted(found) for id_, found in boxes.items()}


__all__ = ['TestedSet', 'check_evaluator']
