"""Checks that annotation files, classes, heads and evaluators agree.

MMDetection drops boxes that it cannot use, numbers labels by the order of the
categories in the file, and compares nothing with the evaluator's file, all without a
message. These checks run before the model is built.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
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
from .preflight import (
    find_class,
    is_local,
    is_remote,
    join_path,
    metric_configs,
)

Warn = Callable[[str], None]
# How many images are looked up in their folder.
_LOOKED_UP = 10


def check_contents(cfg: Config, splits: Sequence[str], warn: Warn) -> None:
    """Check that the data agrees with itself and with the model's heads.

    Args:
        cfg: The config of a whole run.
        splits: Of 'train', 'val', 'test'; splits that ``cfg`` lacks are skipped.
        warn: Is told if some of the data cannot be used.

    Raises:
        UserError: See :func:`check_annotations` and
            :func:`~mmsnn.utils.class_checks.check_num_classes`.
    """
    check_num_classes(cfg, splits)
    check_annotations(cfg, splits, warn)


def check_annotations(cfg: Config, splits: Sequence[str], warn: Warn) -> None:
    """Check the annotation files of data sets and evaluators, and their classes.

    Only local files in COCO's format that MMDetection's ``CocoDataset`` reads, itself
    or in a subclass with the same format, and those of ``CocoMetric``.

    Args:
        cfg: The config of a whole run.
        splits: Of 'train', 'val', 'test'; splits that ``cfg`` lacks are skipped.
        warn: Is told if some of the data cannot be used.

    Raises:
        UserError: If a file is malformed, or if nothing can be learned or measured.
    """
    scope = cfg.get('default_scope')
    for split in splits:
        metrics = list(_coco_metrics(cfg, split, scope))
        measured = split == 'train' or any(
            not metric.get('format_only') for _, metric in metrics
        )
        sets = []
        for where, dataset, class_ in datasets_of(cfg, split):
            names = class_names(where, dataset, class_)
            if not _is_coco(dataset, class_):
                continue
            found = _check_file(where, dataset, names or (), measured, warn)
            sets.append(TestedSet(dataset, names or (), found))
        total = sum(1 for _ in datasets_of(cfg, split))
        for where, metric in metrics:
            if sets and len(sets) == total and not metric.get('format_only'):
                check_evaluator(where, metric['ann_file'], sets, warn)


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


def _coco_metrics(
    cfg: Config, split: str, scope: str | None
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the configs of ``CocoMetric`` that have a local annotation file."""
    for where, metric in metric_configs(cfg, split):
        class_ = find_class(METRICS, metric.get('type'), scope)
        ann_file = metric.get('ann_file')
        if (
            class_ is CocoMetric
            and isinstance(ann_file, str)
            and not is_remote(ann_file)
            and is_local(metric)
        ):
            yield where, metric


def _check_file(
    where: str,
    dataset: Mapping[str, Any],
    names: Sequence[str],
    measured: bool,
    warn: Warn,
) -> Annotations:
    """Check the annotation file of a data set against its other settings.

    Raises:
        UserError: If nothing can be learned or measured.
    """
    if not dataset.get('ann_file'):
        raise UserError(f'{where}.ann_file is missing')
    root = dataset.get('data_root') or ''
    found = read_annotations(join_path(root, dataset['ann_file']), measured=measured)
    check_categories(f'{where}.metainfo.classes', names, found)
    prefix = dataset.get('data_prefix')
    if not isinstance(prefix, Mapping) or not isinstance(prefix.get('img'), str):
        raise UserError(
            f'{where}.data_prefix must be a dict whose img is the folder of images, '
            f'but got {prefix!r}'
        )
    if not is_remote(prefix['img']):
        _check_folder(where, join_path(root, prefix['img']), found)
    if not measured:
        return found
    filter_cfg = {} if dataset.get('test_mode') else dataset.get('filter_cfg') or {}
    counts = count_objects(found, names, filter_cfg.get('min_size', 0))
    if not counts.usable:
        raise UserError(f'{where}: {counts.describe(found.path)}')
    if counts.unusable:
        warn(f'{where}: {counts.describe(found.path)}')
    return found


def _check_folder(where: str, folder: str, found: Annotations) -> None:
    """Check that the images are in the folder, by looking some of them up.

    Raises:
        UserError: If none of them is.
    """
    images = list(found.images.values())
    chosen = images[:: -(-len(images) // _LOOKED_UP)]
    if not any(Path(folder, image['file_name']).exists() for image in chosen):
        raise UserError(
            f'{where}: {folder or "."!r} has none of the images of {found.path}, such '
            f'as {chosen[0]["file_name"]!r}'
        )


__all__ = ['check_annotations', 'check_contents']
