"""Kill a training at each of the steps in which it saves."""

import itertools
import os
import shutil
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmsnn.utils.generators import get_generator_states, set_generator_states

KILLED = 9
_EVENTS = ('open', 'os.rename', 'os.remove', 'os.truncate')
_FILES = ('.pth', 'last_checkpoint')


class _Finished(Exception):
    """There is no further step to be killed at."""


class KilledSaves(Hook):
    """Runs an epoch again and again, killed one step later each time.

    Steps are the operations on checkpoints and on ``last_checkpoint``: before each,
    with the file that it creates still empty, and with the file that it flushes half
    written. A process that is forked runs on and ends in the step, without any of
    Python's cleaning up.

    Args:
        after: The epoch after which the processes are forked.
        inspect: Is called each time that one has ended.
    """

    priority = 'LOWEST'

    def __init__(self, after: int, inspect: Callable[[], None]) -> None:
        self.after, self.inspect = after, inspect
        self.killed = 0

    def before_train_epoch(self, runner: Runner) -> None:
        if runner.epoch < self.after:
            return
        if runner.epoch > self.after:
            os._exit(0)
        work_dir = Path(runner.work_dir)
        copy = work_dir.with_name('copy')
        shutil.copytree(work_dir, copy)
        generators = get_generator_states()
        for step in itertools.count():
            process = os.fork()
            if process == 0:
                # Python seeds its generator anew in a forked process
                set_generator_states(generators)
                _die_at(step)
                return
            _, status = os.waitpid(process, 0)
            code = os.waitstatus_to_exitcode(status)
            assert code in (0, KILLED)
            self.inspect()
            if code == 0:
                self.killed = step
                raise _Finished
            shutil.rmtree(work_dir)
            shutil.copytree(copy, work_dir)


def kill_each_save(runner: Runner, after: int, inspect: Callable[[], None]) -> int:
    """Train, and return the number of steps that the training was killed at."""
    hook, parent = KilledSaves(after, inspect), os.getpid()
    runner.register_hook(hook)
    try:
        runner.train()
    except _Finished:
        return hook.killed
    finally:
        if os.getpid() != parent:
            os._exit(1)
    raise AssertionError('the training was never killed')


def _die_at(step: int) -> None:
    """End this process in the step of that number."""
    count = itertools.count()

    def is_now() -> bool:
        return next(count) == step

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in _EVENTS or not _is_watched(arguments[0]):
            return
        if is_now():
            os._exit(KILLED)
        creates = event == 'open' and arguments[2] & (os.O_TRUNC | os.O_CREAT)
        if creates and is_now():
            Path(arguments[0]).unlink(missing_ok=True)
            os.mknod(arguments[0])
            os._exit(KILLED)

    def flush(descriptor: int) -> None:
        status = os.fstat(descriptor)
        if stat.S_ISREG(status.st_mode) and is_now():
            os.ftruncate(descriptor, status.st_size // 2)
            os._exit(KILLED)
        if is_now():
            os._exit(KILLED)

    os.fsync = flush
    sys.addaudithook(watch)


def _is_watched(path: Any) -> bool:
    return isinstance(path, str | os.PathLike) and any(
        part in Path(path).name for part in _FILES
    )
