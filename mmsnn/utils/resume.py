"""Finding and checking of the checkpoint that training is resumed from."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.config import Config
from mmengine.runner import Runner

from .checkpoint_checks import check_optimizer
from .checkpoint_fit import check_fit
from .checkpoint_keys import unify_keys
from .checkpoints import check_weights, enumerate_some, load_file
from .disk_room import optimizers
from .errors import UserError, first_line
from .paths import is_remote

POINTER = 'last_checkpoint'
_PLAIN_HOOK = 'CheckpointHook'
_HUB_SECTIONS = ('log_scalars', 'runtime_info', 'resumed_keys')


class Resumable(NamedTuple):
    """A checkpoint that training can be resumed from."""

    path: str
    checkpoint: dict[str, Any]


def use_atomic_checkpoints(cfg: Config) -> None:
    """Replace MMEngine's checkpoint hook in a config by this package's.

    A config without a checkpoint hook gets it, too, since the default is MMEngine's.
    """
    if not cfg.get('default_hooks'):
        cfg.default_hooks = {}
    hooks, custom = cfg.default_hooks, cfg.get('custom_hooks')
    if not isinstance(hooks, dict):
        return  # building the runner reports it
    hooks.setdefault('checkpoint', dict(type=_PLAIN_HOOK, interval=1))
    for hook in (*hooks.values(), *(custom if isinstance(custom, list) else ())):
        if isinstance(hook, dict) and _class_name(hook) == _PLAIN_HOOK:
            hook['type'] = 'mmsnn.AtomicCheckpointHook'


def find_start(
    cfg: Config, resume: str | None = None
) -> tuple[Resumable | None, list[str]]:
    """Apply ``--resume`` to a config, and find the checkpoint to resume from.

    ``cfg.load_from`` is set to the checkpoint and, unless the config has a seed, the
    seed to that of the checkpoint.

    Args:
        cfg: The config.
        resume: None to follow the config, 'auto' for the newest complete checkpoint in
            the work dir, or else a checkpoint.

    Returns:
        The checkpoint, or None if training starts from the beginning or the checkpoint
        is remote, and notes for the user, such as why a newer checkpoint is not used.

    Raises:
        UserError: If ``load_from`` or ``resume`` is invalid, or if there are
            checkpoints but none that can be resumed from.
    """
    if resume is not None:
        cfg.resume, cfg.load_from = True, None if resume == 'auto' else resume
    path = cfg.get('load_from')
    if path is not None and (not isinstance(path, str) or not path):
        raise UserError(f'load_from must be a checkpoint or None, but got {path!r}')
    if type(cfg.setdefault('resume', False)) is not bool:
        raise UserError(
            f'resume must be a bool, but got {cfg.resume!r}; the checkpoint itself '
            'belongs to load_from'
        )
    notes: list[str] = []
    if not cfg.resume or (path is not None and is_remote(path)):
        return None, notes
    if path is None and is_remote(_read_pointer(cfg)):
        # out_dir of the hook is remote; MMEngine reads the same file
        return None, notes
    if path is not None:
        found: Resumable | None = Resumable(path, read_resumable(path, cfg))
    else:
        found, notes = _find_newest(cfg)
    if found is None:
        cfg.resume = False
        notes.append(f'no checkpoint in {cfg.work_dir!r}: starting from the beginning')
        return None, notes
    cfg.load_from = found.path
    seed = found.checkpoint['meta'].get('seed')
    if (cfg.get('randomness') or {}).get('seed') is None and type(seed) is int:
        # MMEngine restores it only after building the data loaders with another seed.
        cfg.randomness = dict(cfg.get('randomness') or {}, seed=seed)
    return found, notes


def _find_newest(cfg: Config) -> tuple[Resumable | None, list[str]]:
    """Return the newest complete checkpoint, and why newer ones are not used.

    Raises:
        UserError: If there are checkpoints but none that can be resumed from.
    """
    folder, template = _where(cfg)
    named = _find_named(_read_pointer(cfg), folder)
    skipped = []
    if named is not None and not named.is_file():
        skipped.append(f'checkpoint {str(named)!r} does not exist')
        named = None
    for path in _newest_first(folder, template, named):
        try:
            found = Resumable(str(path), read_resumable(str(path), cfg))
        except UserError as error:
            skipped.append(str(error))
        else:
            notes = [f'resuming from {found.path!r}: {reason}' for reason in skipped]
            return found, notes
    if skipped:
        raise UserError(
            f'no checkpoint in work dir {cfg.work_dir!r} can be resumed from: '
            + '; '.join(skipped)
        )
    return None, skipped


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
    return any(_class_name(hook).endswith('EMAHook') for hook in hooks)


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


def _class_name(config: Any) -> str:
    """Return the name of a config's type, a class or a name with or without scope."""
    kind = config.get('type') if isinstance(config, Mapping) else type(config)
    return str(getattr(kind, '__name__', kind)).rpartition('.')[2]


def _where(cfg: Config) -> tuple[Path, str]:
    """Return the folder of a config's checkpoints and the template of their names."""
    hook = (cfg.get('default_hooks') or {}).get('checkpoint') or {}
    template = 'epoch_{}.pth' if hook.get('by_epoch', True) else 'iter_{}.pth'
    folder = Path(cfg.work_dir)
    if hook.get('out_dir') and not is_remote(hook['out_dir']):
        folder = Path(hook['out_dir'], folder.name)
    return folder, hook.get('filename_tmpl') or template


def _read_pointer(cfg: Config) -> str:
    """Return the content of ``last_checkpoint`` in a work dir; '' if there is none."""
    try:
        content = Path(cfg.work_dir, POINTER).read_bytes()
    except OSError:
        return ''
    return os.fsdecode(content).strip('\0 \n')


def _find_named(pointer: str, folder: Path) -> Path | None:
    """Return the checkpoint that ``last_checkpoint`` names, if it names one.

    The path is that at which it was saved, or in ``folder`` if the work dir has been
    moved.
    """
    if not pointer:
        return None
    named, moved = Path(pointer), folder / Path(pointer).name
    return moved if moved.is_file() and not named.is_file() else named


def _newest_first(folder: Path, template: str, named: Path | None) -> list[Path]:
    """Return the checkpoints in ``folder``, the newest first.

    The one that ``last_checkpoint`` names comes first, unless checkpoints of later
    epochs were written after it: a process can be killed before it updates the file.
    """
    before, _, after = template.partition('{}')
    pattern = re.compile(re.escape(before) + r'(\d+)' + re.escape(after))
    found = [
        (path.stat().st_mtime_ns, int(match[1]), path)
        for path in (folder.iterdir() if folder.is_dir() else ())
        if (match := pattern.fullmatch(path.name)) and path.is_file()
    ]
    found.sort(reverse=True)
    paths = [path for _, _, path in found]
    if named is None:
        return paths
    match = pattern.fullmatch(named.name)
    time, number = named.stat().st_mtime_ns, int(match[1]) if match else 0
    newer = [path for when, step, path in found if when >= time and step > number]
    return list(dict.fromkeys([*newer, named, *paths]))
