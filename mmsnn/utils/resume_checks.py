"""Checks of the checkpoint that training is resumed from."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from mmengine.config import Config
from mmengine.runner import Runner

from .checkpoint_checks import check_optimizer
from .checkpoint_fit import check_fit
from .checkpoint_keys import unify_keys
from .checkpoints import check_weights, enumerate_some, load_file
from .config_types import class_name
from .disk_room import optimizers
from .errors import UserError, first_line

_HUB_SECTIONS = ('log_scalars', 'runtime_info', 'resumed_keys')


class Resumable(NamedTuple):
    """A checkpoint that training can be resumed from."""

    path: str
    checkpoint: dict[str, Any]


def read_resumable(path: str, cfg: Config) -> dict[str, Any]:
    """Load a local checkpoint on the CPU and check that it can be resumed from.

    Args:
        path: A file.
        cfg: The config of the training.

    Raises:
        UserError: If the file is missing, damaged or not a checkpoint, has weights that
            are not finite, or lacks a section that training with the config saves.
    """
    checkpoint = load_file(path)
    missing = ['state_dict']
    if isinstance(checkpoint, Mapping):
        check_weights(checkpoint.get('state_dict', checkpoint), path)
        if checkpoint.get('ema_state_dict') is not None:
            check_weights(checkpoint['ema_state_dict'], path)
        missing = [name for name in _sections(cfg) if checkpoint.get(name) is None]
    if missing:
        raise UserError(
            f'cannot resume from {path!r}: it holds no {", ".join(missing)}; to start '
            f'from its weights use --cfg-options load_from={path}'
        )
    problem = _find_problem(checkpoint, cfg)
    if problem:
        raise UserError(f'cannot resume from {path!r}: {problem}')
    unify_keys(checkpoint)
    return dict(checkpoint)


def check_resumed(runner: Runner, start: Resumable) -> None:
    """Check that a checkpoint fits the model and the optimizer of a training.

    Raises:
        UserError: If it lacks weights, has additional ones, or has the state of another
            optimizer.
    """
    states = [start.checkpoint['state_dict']]
    if 'ema_state_dict' in start.checkpoint:
        # the averaged model's counter of steps is not a weight
        averaged = dict(start.checkpoint['ema_state_dict'])
        averaged.pop('steps', None)
        states.append(averaged)
    for state in states:
        fit = check_fit(runner.model, state, start.path)
        if fit.misfits or fit.unused:
            unused = [f'{name} (not in the model)' for name in fit.unused]
            raise UserError(
                f"cannot resume from {start.path!r}: its weights are not the model's: "
                + enumerate_some([*fit.misfits, *unused], 3)
            )
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    try:
        runner.optim_wrapper.load_state_dict(start.checkpoint['optimizer'])
    except Exception as error:
        # torch raises exceptions of any type on an unexpected state.
        raise UserError(
            f'cannot resume from {start.path!r}: its optimizer is not the '
            f"config's ({first_line(error)})"
        ) from error
    for optimizer in optimizers(runner.optim_wrapper):
        check_optimizer(optimizer, start.path)


def _sections(cfg: Config) -> list[str]:
    """Return the sections of a checkpoint of the config's training."""
    sections = ['state_dict', 'meta', 'message_hub', 'optimizer']
    if cfg.get('param_scheduler'):
        sections.append('param_schedulers')
    if _averages(cfg):
        sections.append('ema_state_dict')
    return sections


def _averages(cfg: Config) -> bool:
    hooks = cfg.get('custom_hooks') or ()
    return any(class_name(hook).endswith('EMAHook') for hook in hooks)


def _find_problem(checkpoint: Mapping[str, Any], cfg: Config) -> str | None:
    """Return what is wrong with the sections of a checkpoint, if anything is."""
    meta, hub = checkpoint['meta'], checkpoint['message_hub']
    for key in ('epoch', 'iter'):
        count = meta.get(key) if isinstance(meta, Mapping) else None
        if type(count) is not int or count < 0:
            return f'its meta must hold the number of the {key}, but got {count!r}'
    for key in _HUB_SECTIONS:
        if not isinstance(hub, Mapping) or not isinstance(hub.get(key), Mapping):
            return f'its message_hub must hold a dict {key}'
    kept = hub['runtime_info'].get('keep_ckpt_ids', [])
    if not isinstance(kept, list) or any(type(step) is not int for step in kept):
        return f'the numbers of the checkpoints that it keeps are {kept!r}'
    for key, value in hub['runtime_info'].items():
        if str(key).startswith('best_ckpt') and not isinstance(value, str):
            return f'its {key} must be the path of a checkpoint, but got {value!r}'
    if 'ema_state_dict' in checkpoint and not _averages(cfg):
        return (
            'it holds averaged weights (ema_state_dict), but the config has no EMAHook'
        )
    expected = cfg.get('param_scheduler') or []
    number = len(expected) if isinstance(expected, list) else 1
    return _find_scheduler_problem(checkpoint.get('param_schedulers', []), number)


def _find_scheduler_problem(saved: Any, expected: int) -> str | None:
    """Return what is wrong with saved schedulers, which MMEngine does not check."""
    if isinstance(saved, Mapping):
        return None  # of several optimizers
    if not isinstance(saved, list) or any(
        not isinstance(state, Mapping) or type(state.get('last_step')) is not int
        for state in saved
    ):
        return 'its param_schedulers are not the states of schedulers'
    if len(saved) != expected:
        return f'it holds {len(saved)} param_schedulers, but the config has {expected}'
    return None
