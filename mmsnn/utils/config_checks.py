"""Checks of settings that the frameworks ignore or report late or unclearly."""

import ast
import difflib
import importlib.util
import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import FUNCTIONS, OPTIMIZERS, Registry
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

from .checks import (
    check_bool,
    check_choice,
    check_number,
    check_positive,
    check_positive_int,
    check_sequence,
    describe,
)
from .errors import UserError
from .shipped_configs import find_config

SETTINGS = frozenset(
    (
        *('model', 'data_preprocessor', 'work_dir', 'experiment_name'),
        *('train_dataloader', 'train_cfg', 'optim_wrapper', 'param_scheduler'),
        *('auto_scale_lr', 'val_dataloader', 'val_cfg', 'val_evaluator'),
        *('test_dataloader', 'test_cfg', 'test_evaluator', 'train_pipeline'),
        *('val_pipeline', 'test_pipeline', 'tta_model', 'tta_pipeline'),
        *('default_hooks', 'custom_hooks', 'load_from', 'resume', 'randomness'),
        *('env_cfg', 'launcher', 'model_wrapper_cfg', 'find_unused_parameters'),
        *('sync_bn', 'log_processor', 'log_level', 'visualizer', 'vis_backends'),
        *('default_scope', 'custom_imports', 'runner_type', 'strategy', 'compile'),
        *('activation_checkpointing', 'efficient_conv_bn_eval'),
    )
)
"""Sections that MMEngine's Runner, the frameworks and the tools read."""

_SIMILAR = 0.85
_LOG_LEVELS = ('DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL')


def check_settings(cfg: Config, mode: str) -> None:
    """Check the loops, data loaders, optimizer, hooks and global settings.

    Args:
        cfg: The config of a whole run.
        mode: 'train' or 'test'.

    Raises:
        UserError: If a value is not allowed; the message names its key, the value and
            what is allowed.
    """
    scope = cfg.get('default_scope')
    try:
        _check_scope(scope)
        for key, check in (*_COMMON, *(_TRAINING if mode == 'train' else ())):
            for name, value in _find(cfg._cfg_dict, key.split('.')):
                check(name, value)
        for name, registry in _TYPES.items():
            for where, value in _find(cfg._cfg_dict, name.split('.')):
                _check_type(where, value, registry, scope)
        _check_together(cfg, 'val' if mode == 'train' else 'test')
    except (TypeError, ValueError) as error:
        raise UserError(f'config {cfg.filename!r}: {error}') from error


def check_bases(path: Path, chain: tuple[Path, ...] = ()) -> None:
    """Check that a config is not among its own bases, which would fail late.

    Args:
        path: A config; only Python files are examined.
        chain: The configs that inherit from it, the outermost first.

    Raises:
        UserError: If it is.
    """
    if path in chain:
        circle = ' -> '.join(map(str, (*chain[chain.index(path) :], path)))
        raise UserError(f'config {str(chain[0])!r} is its own _base_: {circle}')
    if path.suffix != '.py' or not path.is_file():
        return
    try:
        statements = ast.parse(path.read_bytes()).body
    except (SyntaxError, ValueError):
        # reading the config reports it
        return
    for statement in statements:
        if isinstance(statement, ast.Assign) and _name_of(statement) == '_base_':
            for node in ast.walk(statement.value):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    base = path.parent / find_config(node.value)
                    check_bases(base.resolve(), (*chain, path))


def _name_of(statement: ast.Assign) -> str:
    return getattr(statement.targets[0], 'id', '')


def misspelt_settings(cfg: Config) -> list[str]:
    """Return a line for each section of ``cfg`` whose name is close to a known one.

    The frameworks ignore such a section without a message.
    """
    lines = []
    for key in sorted(set(cfg) - SETTINGS):
        near = [name for name in sorted(SETTINGS) if sorted(name) == sorted(key)]
        near += difflib.get_close_matches(key, SETTINGS, 1, _SIMILAR)
        if near:
            lines.append(f'{key!r} of the config is not read; is it {near[0]!r}?')
    return lines


def _find(node: Any, keys: list[str], where: str = '') -> Iterator[tuple[str, Any]]:
    """Yield (path, value) of each value at ``keys``, where ``*`` matches any key."""
    if not keys:
        yield where, node
        return
    key, *rest = keys
    children: Iterator[tuple[Any, Any]] = iter(())
    if isinstance(node, Mapping):
        children = iter(node.items())
    elif isinstance(node, list | tuple):
        children = enumerate(node)
    for name, child in children:
        if key in ('*', name):
            yield from _find(child, rest, f'{where}.{name}'.lstrip('.'))


def _check_scope(scope: Any) -> None:
    if scope is None:
        return
    if not isinstance(scope, str):
        raise TypeError(f'default_scope must be a string, but got {describe(scope)}')
    if importlib.util.find_spec(scope.partition('.')[0] or '_') is None:
        raise ValueError(
            f"default_scope must be the name of a package, such as 'mmdet', but got "
            f'{scope!r}'
        )


def _check_type(name: str, value: Any, registry: Registry, scope: str | None) -> None:
    """Check that a type is registered; MMEngine would use None if it is not."""
    if not isinstance(value, str):
        return
    with registry.switch_scope_and_registry(scope) as scoped:
        if scoped.get(value) is not None:
            return
        known = difflib.get_close_matches(value, scoped.module_dict, 3, 0.5)
    similar = f'; similar names: {", ".join(known)}' if known else ''
    raise ValueError(
        f'{name} must be registered as {registry.name}, but got {value!r}{similar}'
    )


def _check_together(cfg: Config, split: str) -> None:
    """Check that the sections of an evaluation are all given or all missing."""
    names = [f'{split}_{part}' for part in ('dataloader', 'cfg', 'evaluator')]
    missing = [name for name in names if cfg.get(name) is None]
    if missing and len(missing) < len(names):
        raise ValueError(
            f'{", ".join(names)} must all be given or all be None; '
            f'None: {", ".join(missing)}'
        )


def _check_count(name: str, value: Any) -> None:
    if type(value) is not int or value < 0:
        raise ValueError(
            f'{name} must be an integer of at least 0, but got {describe(value)}'
        )


def _check_count_or_never(name: str, value: Any) -> None:
    if type(value) is not int or (value < 1 and value != -1):
        raise ValueError(
            f'{name} must be an integer of at least 1, or -1 for no limit or never, '
            f'but got {describe(value)}'
        )


def _check_section(name: str, value: Any) -> None:
    if value is not None and not isinstance(value, Mapping):
        raise TypeError(f'{name} must be a dict, but got {describe(value)}')


def _check_loader(name: str, value: Any) -> None:
    _check_section(name, value)
    workers = (value or {}).get('num_workers', 0)
    if (value or {}).get('persistent_workers') and workers == 0:
        raise ValueError(
            f'{name}.persistent_workers needs {name}.num_workers of at least 1, but '
            f'got {workers}'
        )


def _check_not_negative(name: str, value: Any) -> None:
    if check_number(name, value) < 0:
        raise ValueError(f'{name} must not be negative, but got {value}')


def _check_clip(name: str, value: Any) -> None:
    """Check the options of gradient clipping, first read at the first iteration."""
    _check_section(name, value)
    clip = dict(value or {})
    if not clip:
        return
    kind = clip.pop('type', 'norm')
    check_choice(f'{name}.type', kind, ('norm', 'value'))
    function = clip_grad_norm_ if kind == 'norm' else clip_grad_value_
    allowed = [*inspect.signature(function).parameters][1:]
    for key in clip:
        check_choice(f'a key of {name}', key, allowed)
    limit = 'max_norm' if kind == 'norm' else 'clip_value'
    if limit not in clip:
        raise ValueError(f'{name} must have {limit}, but got {clip}')
    check_positive(f'{name}.{limit}', clip[limit])


def _check_milestones(name: str, value: Any) -> None:
    check_sequence(name, value, 'integers')
    for milestone in value:
        _check_count(name, milestone)


def _check_path(name: str, value: Any) -> None:
    if value is not None and not isinstance(value, str):
        raise TypeError(f'{name} must be a path, but got {describe(value)}')


def _check_seed(name: str, value: Any) -> None:
    if value is not None:
        _check_count(name, value)


Check = Callable[[str, Any], object]

_LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
_COMMON: tuple[tuple[str, Check], ...] = (
    *((name, _check_loader) for name in _LOADERS),
    *((f'{name}.dataset', _check_section) for name in _LOADERS),
    *((f'{name}.batch_size', check_positive_int) for name in _LOADERS),
    *((f'{name}.num_workers', _check_count) for name in _LOADERS),
    ('model', _check_section),
    ('default_hooks', _check_section),
    ('default_hooks.logger.interval', check_positive_int),
    ('env_cfg.cudnn_benchmark', check_bool),
    ('load_from', _check_path),
    ('log_level', partial(check_choice, allowed=_LOG_LEVELS)),
    ('log_processor.window_size', check_positive_int),
    ('randomness.seed', _check_seed),
    ('work_dir', _check_path),
)
_TRAINING: tuple[tuple[str, Check], ...] = (
    ('auto_scale_lr', _check_section),
    ('auto_scale_lr.base_batch_size', check_positive_int),
    ('default_hooks.checkpoint.interval', _check_count_or_never),
    ('default_hooks.checkpoint.max_keep_ckpts', _check_count_or_never),
    ('optim_wrapper', _check_section),
    ('optim_wrapper.accumulative_counts', check_positive_int),
    ('optim_wrapper.clip_grad', _check_clip),
    ('optim_wrapper.optimizer', _check_section),
    ('optim_wrapper.optimizer.lr', _check_not_negative),
    ('optim_wrapper.optimizer.momentum', _check_not_negative),
    ('optim_wrapper.optimizer.weight_decay', _check_not_negative),
    *(
        (f'{scheduler}.{key}', check)
        for scheduler in ('param_scheduler', 'param_scheduler.*')
        for key, check in (
            ('by_epoch', check_bool),
            ('gamma', check_positive),
            ('milestones', _check_milestones),
        )
    ),
    ('resume', check_bool),
    ('train_cfg', _check_section),
    ('train_dataloader.sampler.shuffle', check_bool),
    ('train_cfg.max_epochs', check_positive_int),
    ('train_cfg.max_iters', check_positive_int),
    ('train_cfg.val_begin', _check_count),
    ('train_cfg.val_interval', check_positive_int),
)
# Other types that are not registered raise a KeyError that names them.
_TYPES: Mapping[str, Registry] = {
    'optim_wrapper.optimizer.type': OPTIMIZERS,
    **{f'{name}.collate_fn.type': FUNCTIONS for name in _LOADERS},
}
