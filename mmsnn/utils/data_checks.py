"""Checks that annotation files, classes, heads and evaluators agree.

MMDetection silently drops boxes that it cannot use, numbers labels in the order of the
categories in the file, and does not compare the data set with the evaluator's file.
These checks run before the model is built.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmdet.datasets import CocoDataset
from mmdet.evaluation import CocoMetric
from mmengine.config import Config
from mmengine.registry import METRICS

from .annotations import Annotations, read_annotations
from .class_checks import (
    check_categories,
    check_num_classes,
    class_names,
    datasets_of,
)
from .errors import UserError
from .evaluator_checks import TestedSet, check_evaluator
from .object_counts import count_objects
from .paths import is_remote, join_path
from .preflight import find_class, is_local, metric_configs

Warn = Callable[[str], None]
# Number of images that are looked up in their folder.
_LOOKED_UP = 10


def check_contents(cfg: Config, splits: Sequence[str], warn: Warn) -> None:
    """Check that the data agrees with itself and with the model's heads.

    Args:
        cfg: The config of a whole run.
        splits: Some of 'train', 'val', 'test'; splits that ``cfg`` lacks are skipped.
        warn: Called with a message if some of the data cannot be used.

    Raises:
        UserError: See :func:`check_annotations` and
            :func:`~mmsnn.utils.class_checks.check_num_classes`.
    """
    check_num_classes(cfg, splits)
    check_annotations(cfg, splits, warn)


def check_annotations(cfg: Config, splits: Sequence[str], warn: Warn) -> None:
    """Check the annotation files of data sets and evaluators, and their classes.

    Only local files in COCO's format are checked: those of MMDetection's
    ``CocoDataset``, of its subclasses with the same format, and of ``CocoMetric``.

    Args:
        cfg: The config of a whole run.
        splits: Some of 'train', 'val', 'test'; splits that ``cfg`` lacks are skipped.
        warn: Called with a message if some of the data cannot be used.

    Raises:
        UserError: If a file is malformed or does not match the config, or if none of
            its objects can be used.
    """
    for split in splits:
        _check_split(cfg, split, warn)


def _check_split(cfg: Config, split: str, warn: Warn) -> None:
    metrics = list(metric_configs(cfg, split))
    measuring = [each for each in metrics if not each[1].get('format_only')]
    needs_objects = split == 'train' or bool(measuring)
    parts = list(datasets_of(cfg, split))
    sets, usable, faults = [], False, []
    for where, dataset, class_ in parts:
        names = class_names(where, dataset, class_) or ()
        if not _is_coco(dataset, class_):
            continue
        # one of several may have no objects, as in training with unlabeled images
        found = _read(where, dataset, names, needs_objects and len(parts) == 1)
        sets.append(TestedSet(dataset, names, found))
        counts = count_objects(found, names, _min_size(dataset))
        usable = usable or counts.usable > 0
        if counts.unusable or not counts.usable:
            faults.append(f'{where}: {counts.describe(found.path)}')
    complete = bool(sets) and len(sets) == len(parts)
    if complete and needs_objects and not usable:
        raise UserError(faults[0])
    for fault in faults if needs_objects else ():
        warn(fault)
    for where, metric in measuring:
        if complete and _has_local_file(metric, cfg.get('default_scope')):
            check_evaluator(where, metric, sets, warn)


def _is_coco(dataset: Mapping[str, Any], class_: type) -> bool:
    """Return whether the data set reads a local file in COCO's format."""
    ann_file = dataset.get('ann_file', '')
    same = (
        getattr(class_, name, None) is getattr(CocoDataset, name)
        for name in ('load_data_list', 'parse_data_info')
    )
    return (
        all(same)
        and isinstance(ann_file, str)
        and not is_remote(ann_file)
        and is_local(dataset)
    )


def _has_local_file(metric: Mapping[str, Any], scope: str | None) -> bool:
    """Return whether a metric is ``CocoMetric`` with a local annotation file."""
    ann_file = metric.get('ann_file')
    return (
        find_class(METRICS, metric.get('type'), scope) is CocoMetric
        and isinstance(ann_file, str)
        and not is_remote(ann_file)
        and is_local(metric)
    )


def _min_size(dataset: Mapping[str, Any]) -> float:
    """Return the minimum width and height of the images that the data set keeps."""
    filter_cfg = dataset.get('filter_cfg') or {}
    return 0 if dataset.get('test_mode') else filter_cfg.get('min_size', 0)


def _read(
    where: str, dataset: Mapping[str, Any], names: Sequence[str], needs_objects: bool
) -> Annotations:
    """Read a data set's annotation file and check it against its other settings.

    Raises:
        UserError: If the classes are not its categories, or the images are missing.
    """
    if not dataset.get('ann_file'):
        raise UserError(f'{where}.ann_file is missing')
    path = join_path(dataset.get('data_root') or '', dataset['ann_file'])
    found = read_annotations(path, needs_objects=needs_objects)
    check_categories(f'{where}.metainfo.classes', names, found)
    prefix = dataset.get('data_prefix')
    if not isinstance(prefix, Mapping) or not isinstance(prefix.get('img'), str):
        raise UserError(
            f'{where}.data_prefix must be a dict whose img is the folder of images, '
            f'but got {prefix!r}'
        )
    if not is_remote(prefix['img']):
        folder = join_path(dataset.get('data_root') or '', prefix['img'])
        _check_folder(where, folder, found)
    return found


def _check_folder(where: str, folder: str, found: Annotations) -> None:
    """Check that the images are in the folder, by looking up some of them.

    Raises:
        UserError: If none of these exists.
    """
    images = list(found.images.values())
    chosen = images[:: -(-len(images) // _LOOKED_UP)]
    if not any(Path(folder, image['file_name']).exists() for image in chosen):
        raise UserError(
            f'{where}: {folder or "."!r} has none of the images of {found.path}, such '
            f'as {chosen[0]["file_name"]!r}'
        )


__all__ = ['check_annotations', 'check_contents']
