"""Checks that data sets have the same classes, and heads as many."""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from reprlib import repr as shorten
from typing import Any

from mmengine.config import Config
from mmengine.fileio import list_from_file
from mmengine.registry import DATASETS, MODELS

from .annotations import Annotations
from .checkpoints import enumerate_some
from .errors import UserError
from .preflight import find_class, leaf_datasets

# Heads whose classes are not the data set's: object or background, and stuff.
_OTHER_HEADS = ('rpn_head', 'semantic_head')


def check_num_classes(cfg: Config, splits: Sequence[str]) -> None:
    """Check ``num_classes`` of the model's heads against the classes of the data.

    Args:
        cfg: The config of a whole run.
        splits: Some of 'train', 'val', 'test'; splits that ``cfg`` lacks are skipped.

    Raises:
        UserError: If they differ, or if two data sets have different classes.
    """
    first: tuple[str, tuple[str, ...]] | None = None
    for split in splits:
        for where, dataset, class_ in datasets_of(cfg, split):
            names = class_names(where, dataset, class_)
            if names is None:
                continue
            first = first or (where, names)
            if names != first[1]:
                raise UserError(
                    f'{where}: its classes {shorten(names)} are not those of '
                    f'{first[0]}, {shorten(first[1])}'
                )
            if dataset.get('return_classes'):
                # the classes are a text prompt, and num_classes counts its tokens
                continue
            # a data set that draws some of its classes has num_classes
            number = dataset.get('num_classes', len(names))
            heads = _find_heads(cfg.get('model'), 'model', cfg.get('default_scope'))
            for head, num_classes in heads:
                if num_classes != number:
                    raise UserError(
                        f'{head}.num_classes: {num_classes}, but {where} has {number} '
                        f'classes: {shorten(names)}'
                    )


def compare_classes(
    cfg: Config, split: str, trained: Sequence[str], checkpoint: str
) -> str | None:
    """Compare the classes of a checkpoint with those of the data.

    Args:
        cfg: The config of a whole run.
        split: 'train', 'val' or 'test'.
        trained: The classes of the data that the checkpoint was trained on; none if
            they are unknown.
        checkpoint: Its name, for the message.

    Returns:
        A warning that names the labels that mean different classes, if any do.
    """
    for where, dataset, class_ in datasets_of(cfg, split) if trained else ():
        names = class_names(where, dataset, class_)
        if names is None or names == tuple(trained):
            continue
        pairs = enumerate(zip_longest(trained, names))
        others = [
            f'{label} was {before!r} and is {now!r}'
            for label, (before, now) in pairs
            if before != now
        ]
        return (
            f'checkpoint {checkpoint!r} was trained with other classes than those of '
            f'{where}: label {enumerate_some(others, 3)}'
        )
    return None


def datasets_of(cfg: Config, split: str) -> Iterator[tuple[str, Any, type]]:
    """Yield (path in the config, config, class) of each data set of a split."""
    loader = cfg.get(f'{split}_dataloader')
    if isinstance(loader, Mapping) and isinstance(loader.get('dataset'), Mapping):
        where = f'{split}_dataloader.dataset'
        for name, dataset in leaf_datasets(loader['dataset'], where):
            class_ = find_class(DATASETS, dataset.get('type'), cfg.get('default_scope'))
            if class_ is not None:
                yield name, dataset, class_


def classes_of_test_set(cfg: Config) -> tuple[str, ...] | None:
    """Return the classes of a config's test set; None if they are unknown."""
    for found in datasets_of(cfg, 'test'):
        return class_names(*found)
    return None


def class_names(
    where: str, dataset: Mapping[str, Any], class_: type
) -> tuple[str, ...] | None:
    """Return the classes as MMEngine's ``BaseDataset`` finds them; None if unknown.

    Raises:
        UserError: If they are not a list of distinct names.
    """
    metainfo = dataset.get('metainfo') or {}
    if not isinstance(metainfo, Mapping):
        raise UserError(f'{where}.metainfo must be a dict, but got {shorten(metainfo)}')
    if 'CLASSES' in metainfo:
        raise UserError(f'{where}.metainfo.CLASSES has no effect: write classes')
    if 'classes' not in metainfo:
        classes = getattr(class_, 'METAINFO', {}).get('classes')
        return None if classes is None else tuple(classes)
    classes = metainfo['classes']
    if isinstance(classes, str) and Path(classes).is_file():
        classes = list_from_file(classes)
    if (
        isinstance(classes, str)
        or not isinstance(classes, Sequence)
        or not classes
        or not all(isinstance(name, str) and name for name in classes)
        or len(set(classes)) < len(classes)
    ):
        raise UserError(
            f'{where}.metainfo.classes must be a list of distinct names, or a file '
            f'with one in each line, but got {shorten(classes)}'
        )
    return tuple(classes)


def check_categories(where: str, names: Sequence[str], found: Annotations) -> None:
    """Check that the file has the classes, in the same order.

    MMDetection selects categories by name, but numbers labels in the order of the file:
    if the classes or their order differ, labels get the names of other classes.

    Args:
        where: The path in the config of the setting with the classes.
        names: The classes.
        found: The annotation file.

    Raises:
        UserError: If classes are missing or in another order.
    """
    available = list(found.categories.values())
    missing = [name for name in names if name not in available]
    if missing:
        raise UserError(
            f'{where}: {len(missing)} of {len(names)} classes are missing from the '
            f'categories of {found.path}: {shorten(missing)}; '
            f'it has {shorten(available)}'
        )
    chosen = [name for name in available if name in set(names)]
    if chosen != list(names):
        problem = 'twice' if len(chosen) > len(names) else 'in another order'
        raise UserError(
            f'{where}: {shorten(list(names))} are in {found.path} {problem}: '
            f'{shorten(chosen)}, which decides what a label means'
        )


def _find_heads(node: Any, where: str, scope: str | None) -> Iterator[tuple[str, int]]:
    """Yield (path in the config, number of classes) of each head that has classes."""
    children = node.items() if isinstance(node, Mapping) else enumerate(node)
    for key, child in children:
        if not isinstance(child, Mapping | list | tuple) or key in _OTHER_HEADS:
            continue
        name = f'{where}.{key}'
        # heads in a list have the key of the list
        last = key if isinstance(key, str) else where.rpartition('.')[2]
        if isinstance(child, Mapping) and last.endswith('head'):
            number = _num_classes(child, scope)
            if number is not None:
                yield name, number
        yield from _find_heads(child, name, scope)


def _num_classes(head: Mapping[str, Any], scope: str | None) -> int | None:
    """Return ``num_classes`` of a head's config, or its default, if it has one."""
    number = head.get('num_classes')
    class_ = find_class(MODELS, head.get('type'), scope)
    for base in () if number is not None or class_ is None else class_.__mro__:
        option = inspect.signature(base).parameters.get('num_classes')
        if option is not None:
            number = option.default
            break
    return number if isinstance(number, int) else None


__all__ = [
    'check_categories',
    'check_num_classes',
    'class_names',
    'compare_classes',
    'datasets_of',
]
