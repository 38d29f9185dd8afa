"""One-line explanations of errors that the user can fix.

A wrong setting, a full disk, too little memory or an unreadable file is reported in one
line. Errors that are not recognised here are bugs and keep their traceback.
"""

import errno
import io
import os
import re
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType, TracebackType

import torch
import torch.distributed as dist
from mmengine.config import Config

from .errors import UserError, first_line, plain

HINT = '(MMSNN_TRACEBACK=1 shows where)'

_OUT_OF_MEMORY = re.compile(
    r'out of memory|not enough memory|can.?(no)?t allocate memory|_ALLOC_FAILED', re.I
)
_WORKER_KILLED = re.compile(r'DataLoader worker .*(killed by signal: \w+|exited unex)')
_IN_WORKER = re.compile(r'Caught \w+ in DataLoader worker process \d+')
_LAST_ERROR = re.compile(r'^((?:\w+\.)*\w+)(?:: (.*))?$')
_LOST_PEER = re.compile(r'gloo.*(connection|timed out)|NCCL|TCPStore', re.I | re.S)
# Part of batch norm's error message in training.
_ONE_VALUE = 'more than 1 value per channel'
_TORN_FILE = re.compile(r'PytorchStreamWriter|inline_container|iostream error')

# Methods of MMEngine's Runner, and the part of the config that they build.
_PLACES = {
    '_init_model_weights': 'init_cfg of the model',
    'build_evaluator': 'evaluator',
    'build_dataloader': 'dataloader',
    'build_log_processor': 'log_processor',
    'build_model': 'model',
    'build_optim_wrapper': 'optim_wrapper',
    '_build_param_scheduler': 'param_scheduler',
    'build_param_scheduler': 'param_scheduler',
    'build_test_loop': 'test_cfg',
    'build_train_loop': 'train_cfg',
    'build_val_loop': 'val_cfg',
    'build_visualizer': 'visualizer',
    'load_or_resume': 'load_from',
    'register_custom_hooks': 'custom_hooks',
    'register_default_hooks': 'default_hooks',
    'scale_lr': 'auto_scale_lr',
    'set_randomness': 'randomness',
    'setup_env': 'env_cfg',
    'wrap_model': 'model_wrapper_cfg',
}
_FIRST_HOOKS = ('before_run', 'before_train', 'before_val', 'before_test')


@contextmanager
def explain_failures(cfg: Config) -> Iterator[None]:
    """Turn errors that the user can fix, in building or running ``cfg``, into one line.

    Raises:
        UserError: If :func:`explain` recognises an error, or a part of the config
            cannot be built. Other errors are not changed.
    """
    try:
        yield
    except Exception as error:
        message = explain(error)
        place = place_in_config(error) if message is None else None
        if place is not None:
            message = (
                f'config {cfg.filename!r} cannot be run: {place}: {first_line(error)} '
                f'{HINT}'
            )
        if message is None:
            raise
        raise UserError(message) from error


@contextmanager
def explain_building(what: str) -> Iterator[None]:
    """Turn any error in building ``what`` from a config into one line.

    Raises:
        UserError: If anything fails.
    """
    try:
        yield
    except Exception as error:
        place = place_in_config(error)
        where = f'{place}: ' if place else ''
        reason = explain(error) or first_line(error)
        raise UserError(f'{what} cannot be built: {where}{reason} {HINT}') from error


def explain(error: Exception) -> str | None:
    """Return one line about ``error``, or None if it is not recognised.

    The recognised errors are :class:`UserError`; errors that mmsnn raises for wrong
    arguments; files that cannot be read or written; too little memory; samples that
    cannot be loaded, also in worker processes; and lost connections to other processes
    of the run.
    """
    if isinstance(error, UserError) and not _IN_WORKER.match(str(error)):
        return plain(str(error))
    for explanation in (_explain_worker, _explain_memory, _explain_file, _explain_peer):
        message = explanation(error)
        if message is not None:
            return message
    frames = _frames(error.__traceback__)
    if isinstance(error, ValueError | TypeError) and _is_ours(error):
        return plain(str(error))
    if isinstance(error, ValueError) and _ONE_VALUE in str(error):
        return f'larger batches or images are needed: {first_line(error)}'
    if any(_is_in(frame, 'torch.utils.data._utils.fetch') for frame in frames):
        return f'a sample cannot be loaded: {first_line(error)} {HINT}'
    return None


def _explain_worker(error: Exception) -> str | None:
    """Explain the error of a data loader's worker process, which is passed as text."""
    message = str(error.args[0]) if error.args else ''
    killed = _WORKER_KILLED.search(message)
    if killed:
        return (
            f'a process that loads data ended ({plain(killed[0])}): the machine may '
            'have run out of memory or of shared memory, of which a smaller '
            'num_workers needs less'
        )
    if not _IN_WORKER.match(message):
        return None
    lines = message.rstrip().splitlines()
    for index in range(len(lines) - 1, -1, -1):
        found = _LAST_ERROR.match(lines[index])
        if found:
            name = found[1].rpartition('.')[2]
            text = plain(' '.join([found[2] or '', *lines[index + 1 :]]))
            if name == UserError.__name__:
                return text
            return f'a sample cannot be loaded: {name}: {text} {HINT}'
    return f'a sample cannot be loaded: {first_line(error)} {HINT}'


def _explain_memory(error: Exception) -> str | None:
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and _OUT_OF_MEMORY.search(str(error))
    ):
        return (
            f'out of memory ({first_line(error)}): smaller batches, smaller images or '
            'memory_efficient=True of the backbone need less'
        )
    return None


def _explain_file(error: Exception) -> str | None:
    """Return which file cannot be read or written, and why."""
    reason: BaseException | None = error
    if isinstance(error, RuntimeError) and _TORN_FILE.search(str(error)):
        # torch.save raises a second error on closing a file that it could not write
        reason = error.__context__
        if not isinstance(reason, OSError):
            return f'a file cannot be written, is the disk full? ({first_line(error)})'
    if not isinstance(reason, OSError) or reason.errno is None:
        return None
    if isinstance(reason, ConnectionError) and reason.filename is None:
        return None
    path = reason.filename
    if path is None:
        path = _find_written(reason)
    name = '' if path is None else f'{os.fspath(path)!r}: '
    message = plain(f'{name}{reason.strerror}')
    if reason.errno in (errno.ENOSPC, errno.EDQUOT):
        message += ' (free some space, or write elsewhere)'
    return message


def _find_written(error: OSError) -> str | None:
    """Return the file that was being written, which the error does not name."""
    for frame in reversed(_frames(error.__traceback__)):
        for value in frame.f_locals.values():
            if isinstance(value, io.IOBase):
                name = getattr(value, 'name', None)
                # a stream of the process has a name such as '<stderr>', or a number
                if isinstance(name, str | os.PathLike) and str(name)[:1] != '<':
                    return str(name)
    return None


def _explain_peer(error: Exception) -> str | None:
    lost = isinstance(error, dist.DistError) or (
        isinstance(error, RuntimeError) and _LOST_PEER.search(str(error))
    )
    if not lost:
        return None
    return (
        f'the processes of this run lost each other ({first_line(error)}): the first '
        'error is that of the process that ended first'
    )


def place_in_config(error: BaseException) -> str | None:
    """Return the part of a config that MMEngine's Runner could not build.

    Returns:
        A name such as ``'train_dataloader'``, or None if the error came from
        elsewhere, such as from the middle of a training.
    """
    frames = _frames(error.__traceback__)
    found: list[str] = []
    for index, frame in enumerate(frames):
        if not _is_in(frame, 'mmengine.runner.runner'):
            continue
        name = frame.f_code.co_name
        if name == 'call_hook' and index + 1 < len(frames):
            hook = frames[index + 1]
            if hook.f_code.co_name in _FIRST_HOOKS:
                found.append(type(hook.f_locals.get('self')).__name__)
        elif name in _PLACES:
            found.append(_PLACES[name])
        elif name in ('train', 'val', 'test') and frame is frames[-1]:
            found.append('model')
    if not found:
        return None
    if found[-1] in ('dataloader', 'evaluator') and len(found) > 1:
        return found[-2].replace('cfg', found[-1])
    return found[-1]


def _is_ours(error: Exception) -> bool:
    """Return whether the error comes from a ``raise`` statement of mmsnn."""
    frames = _frames(error.__traceback__)
    if not frames or not frames[-1].f_globals.get('__name__', '').startswith('mmsnn.'):
        return False
    line = traceback.extract_tb(error.__traceback__)[-1].line or ''
    return line.startswith('raise')


def _frames(trace: TracebackType | None) -> Sequence[FrameType]:
    return [frame for frame, _ in traceback.walk_tb(trace)]


def _is_in(frame: FrameType, module: str) -> bool:
    return frame.f_globals.get('__name__') == module
