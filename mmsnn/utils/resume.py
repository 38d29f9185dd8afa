"""Finding the checkpoint that training is resumed from."""

import os
import re
from pathlib import Path

from mmengine.config import Config

from .config_types import class_name
from .errors import UserError
from .paths import is_remote
from .resume_checks import Resumable, read_resumable

POINTER = 'last_checkpoint'
_PLAIN_HOOK = 'CheckpointHook'


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
        if isinstance(hook, dict) and class_name(hook) == _PLAIN_HOOK:
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
    if finished := _describe_finished(cfg, found):
        notes.append(finished)
    return found, notes


def _describe_finished(cfg: Config, found: Resumable) -> str | None:
    """Return a note if a checkpoint is that of the end of the config's training."""
    training = cfg.get('train_cfg') or {}
    for unit, key in (('epoch', 'max_epochs'), ('iter', 'max_iters')):
        done, last = found.checkpoint['meta'][unit], training.get(key)
        if type(last) is int and done >= last:
            return (
                f'the training of {found.path!r} is finished ({unit} {done} of {last}):'
                f' no more iterations are run; a larger train_cfg.{key} continues it'
            )
    return None


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
