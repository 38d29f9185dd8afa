"""Checks of a config, its data and its checkpoint before anything is built.

MMEngine reports a missing annotation file only when it builds the data set, after the
model, and merely logs that a checkpoint does not fit. These checks run first and raise
:class:`~mmsnn.utils.errors.UserError` with a message of one line.
"""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError

from mmengine.config import Config
from mmengine.model.weight_init import PretrainedInit
from mmengine.registry import DATASETS, Registry

from mmsnn.registry import WEIGHT_INITIALIZERS

from .errors import UserError, first_line
from .outputs import check_folder
from .paths import is_remote, join_path, what_is_wrong
from .safe_loading import UnsafeContentError

_REQUIRED = {
    'train': ('model', 'train_dataloader', 'train_cfg', 'optim_wrapper'),
    'test': ('model', 'test_dataloader', 'test_cfg', 'test_evaluator'),
}


def check_sections(cfg: Config, mode: str) -> None:
    """Check that ``cfg`` has the sections that ``mode`` ('train' or 'test') needs.

    Raises:
        UserError: If a section is missing, such as in a file of ``_base_``.
    """
    missing = [name for name in _REQUIRED[mode] if cfg.get(name) is None]
    if missing:
        raise UserError(
            f'config {cfg.filename!r} cannot be used to {mode}: it does not define '
            + ', '.join(missing)
        )


def check_data(cfg: Config, splits: Sequence[str]) -> None:
    """Check that the data roots, annotation files and image folders exist.

    Data sets inside wrappers (``RepeatDataset``, ``ConcatDataset``, ...) are checked,
    too. Remote paths, file backends other than the local disk, and data sets that
    download their files are not checked.

    Args:
        cfg: The config of a whole run.
        splits: Some of 'train', 'val', 'test'; splits that ``cfg`` lacks are skipped.

    Raises:
        UserError: If something is missing.
    """
    scope = cfg.get('default_scope')
    for split in splits:
        loader = cfg.get(f'{split}_dataloader')
        if not isinstance(loader, Mapping):
            continue
        where = f'{split}_dataloader'
        if isinstance(loader.get('dataset'), Mapping):
            for name, dataset in leaf_datasets(loader['dataset'], f'{where}.dataset'):
                _check_dataset(name, dataset, scope)
        for name, metric in metric_configs(cfg, split):
            ann_file = metric.get('ann_file')
            if isinstance(ann_file, str) and is_local(metric):
                _check_exists(f'{name}.ann_file', ann_file)


def check_evaluators(cfg: Config, splits: Sequence[str]) -> None:
    """Check that evaluators can write their results where the config says.

    Args:
        cfg: The config of a whole run.
        splits: Some of 'train', 'val', 'test'; splits that ``cfg`` lacks are skipped.

    Raises:
        UserError: If nothing can be written at an ``outfile_prefix`` or
            ``out_file_path``.
    """
    for split in splits:
        for name, metric in metric_configs(cfg, split):
            for key in ('outfile_prefix', 'out_file_path'):
                path = metric.get(key)
                if isinstance(path, str) and not is_remote(path):
                    check_folder(Path(path).parent, f'{name}.{key}')


def metric_configs(cfg: Config, split: str) -> Iterator[tuple[str, Any]]:
    """Yield (path in the config, config) of each metric of ``split``'s evaluator.

    An evaluator is a metric, a list of metrics, or a dict with the key ``metrics``.
    """
    where = f'{split}_evaluator'
    evaluator = cfg.get(where)
    if isinstance(evaluator, Mapping) and 'metrics' in evaluator:
        where, evaluator = f'{where}.metrics', evaluator['metrics']
    if isinstance(evaluator, Mapping):
        yield where, evaluator
    elif isinstance(evaluator, Sequence) and not isinstance(evaluator, str):
        for index, metric in enumerate(evaluator):
            if isinstance(metric, Mapping):
                yield f'{where}.{index}', metric


def check_pretrained(cfg: Config) -> None:
    """Check that the local files of ``init_cfg=dict(type='Pretrained')`` exist.

    The files of this package's initialisers that load weights are checked, too.

    Raises:
        UserError: If one is missing.
    """
    for where, init_cfg in _find_pretrained(cfg.get('model'), 'model'):
        checkpoint = init_cfg.get('checkpoint')
        if isinstance(checkpoint, str) and not is_remote(checkpoint):
            _check_exists(f'{where}.checkpoint', str(Path(checkpoint).expanduser()))


@contextmanager
def explain_downloads() -> Iterator[None]:
    """Turn a failed download, or weights that cannot be loaded safely, into one line.

    Raises:
        UserError: If either occurs.
    """
    try:
        yield
    except URLError as error:
        raise UserError(
            f'a download failed ({first_line(error)}): put the file, unpacked, where '
            'the config expects it'
        ) from error
    except UnsafeContentError as error:
        raise UserError(f'checkpoint {error}') from error


def loads_weights(init_cfg: Mapping[str, Any]) -> bool:
    """Return whether a config is that of an initialiser that loads weights.

    These are MMEngine's ``Pretrained`` and registered classes with a true attribute
    ``loads_weights``; all of them have an argument ``checkpoint``.

    Args:
        init_cfg: A config whose type is a class or a name, with or without its scope.
    """
    if 'checkpoint' not in init_cfg:
        return False
    class_ = find_class(WEIGHT_INITIALIZERS, init_cfg.get('type'), 'mmsnn')
    if class_ is None:
        return False
    return bool(getattr(class_, 'loads_weights', issubclass(class_, PretrainedInit)))


def forget_pretrained(node: Any) -> None:
    """Remove each initialiser that loads weights from a model's config, in place.

    Operation counts and speed do not depend on the weights, which may have to be
    downloaded.
    """
    if isinstance(node, dict):
        init_cfg = node.get('init_cfg')
        if isinstance(init_cfg, dict) and loads_weights(init_cfg):
            node.pop('init_cfg')
    children = node.values() if isinstance(node, dict) else node
    if isinstance(node, dict | list | tuple):
        for child in children:
            forget_pretrained(child)


def _find_pretrained(node: Any, where: str) -> Iterator[tuple[str, Any]]:
    """Yield (path in the config, dict) of each initialiser that loads weights."""
    if isinstance(node, Mapping):
        if loads_weights(node):
            yield where, node
        for key, value in node.items():
            yield from _find_pretrained(value, f'{where}.{key}')
    elif isinstance(node, list | tuple):
        for index, value in enumerate(node):
            yield from _find_pretrained(value, f'{where}.{index}')


def leaf_datasets(dataset: Any, where: str) -> Iterator[tuple[str, Any]]:
    """Yield (path in the config, config) of the data sets inside the wrappers."""
    if not isinstance(dataset, Mapping):
        return
    if isinstance(dataset.get('datasets'), Sequence):
        for index, child in enumerate(dataset['datasets']):
            yield from leaf_datasets(child, f'{where}.datasets.{index}')
    elif isinstance(dataset.get('dataset'), Mapping):
        yield from leaf_datasets(dataset['dataset'], f'{where}.dataset')
    else:
        yield where, dataset


def innermost_dataset(dataset: Any) -> Any:
    """Return the first data set's config inside the wrappers of ``dataset``.

    Raises:
        UserError: If there is none.
    """
    for _, found in leaf_datasets(dataset, ''):
        return found
    raise UserError(f'a dataloader needs a data set, but its dataset is {dataset}')


def _check_dataset(where: str, dataset: Mapping[str, Any], scope: str | None) -> None:
    """Check one data set, with its paths joined as in MMEngine's ``BaseDataset``."""
    if not is_local(dataset) or _downloads_itself(dataset, scope):
        return
    root = dataset.get('data_root')
    root = root if isinstance(root, str) else ''
    if root:
        _check_exists(f'{where}.data_root', root)
    ann_file = dataset.get('ann_file')
    if isinstance(ann_file, str) and ann_file:
        _check_exists(f'{where}.ann_file', join_path(root, ann_file))
    prefix = dataset.get('data_prefix') or {}
    prefixes = prefix if isinstance(prefix, Mapping) else {'': prefix}
    for key, value in prefixes.items():
        if isinstance(value, str) and value:
            name = f'{where}.data_prefix.{key}'.rstrip('.')
            _check_exists(name, join_path(root, value))


def is_local(node: Mapping[str, Any]) -> bool:
    """Return whether a data set's or metric's files are read from the local disk."""
    backend_args = node.get('backend_args') or {}
    backend = backend_args.get('backend', 'local')
    root = node.get('data_root')
    return backend in ('local', 'disk') and not (
        isinstance(root, str) and is_remote(root)
    )


def _downloads_itself(dataset: Mapping[str, Any], scope: str | None) -> bool:
    """Return whether the data set downloads its files, as MMPretrain's CIFAR10 does."""
    class_ = find_class(DATASETS, dataset.get('type'), scope)
    if class_ is None:
        return False
    option = inspect.signature(class_).parameters.get('download')
    return option is not None and bool(dataset.get('download', option.default))


def find_class(registry: Registry, type_: Any, scope: str | None) -> type | None:
    """Return the class that a config's ``type`` refers to, or None.

    Args:
        registry: One of MMEngine's root registries.
        type_: A name, with or without scope, or the class itself.
        scope: The config's ``default_scope``.
    """
    if isinstance(type_, str):
        with registry.switch_scope_and_registry(scope) as scoped:
            type_ = scoped.get(type_)
    return type_ if inspect.isclass(type_) else None


def _check_exists(name: str, path: str) -> None:
    if not is_remote(path) and not Path(path).exists():
        raise UserError(f'{name}: {path!r} {what_is_wrong(path)}')
