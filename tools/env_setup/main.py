"""Do the stages that are not done, one process at a time."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from .checks import SetupError, is_disk_full
from .project import Project, Stage, child_environment, clear_remains, stage_keys
from .runner import Runner, elapsed_text
from .stages import STAGES

ROOT = Path(__file__).resolve().parents[2]


def venv_works(project: Project) -> bool:
    """Return whether `.venv` runs and has the Python version of this process."""
    code = 'import sys; print(sys.version_info[:2], sys.prefix)'
    try:
        probe = subprocess.run(
            [project.python, '-c', code], capture_output=True, text=True
        )
    except OSError:
        return False
    return probe.stdout.strip() == f'{tuple(sys.version_info[:2])} {project.venv}'


def stages_to_do(project: Project, stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """Return the first stage whose stamp is not as it must be, and all after."""
    keys = stage_keys(project, stages)
    for index, stage in enumerate(stages):
        stamp = project.stamps / stage.name
        if not stamp.is_file() or stamp.read_text() != keys[stage.name]:
            return stages[index:]
    return () if venv_works(project) else stages


def take_lock(project: Project) -> int:
    """Wait until no other process sets this folder up; return the lock.

    The lock is held until the descriptor, and every child's copy, is closed.
    """
    descriptor = os.open(project.root / '.venv.lock', os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(
            'mmsnn set-up: another set-up of this folder is running; waiting for it',
            flush=True,
        )
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def set_up(project: Project, stages: tuple[Stage, ...]) -> None:
    """Bring `.venv` to where every stage is done.

    Raises:
        SetupError: A stage failed; those before it are kept.
    """
    lock = take_lock(project)
    try:
        pending = stages_to_do(project, stages)
        if pending and not venv_works(project):
            pending = stages
        keys = stage_keys(project, stages)
        runner = Runner(project.root / '.venv.log', lock, child_environment(project))
        if pending:
            runner.log_path.write_text('')
            clear_remains(project)
        for stage in pending:
            (project.stamps / stage.name).unlink(missing_ok=True)
        for stage in pending:
            number = stages.index(stage) + 1
            print(f'[{number}/{len(stages)}] {stage.title}', flush=True)
            stage.run(project, runner)
            (project.stamps / stage.name).write_text(keys[stage.name])
    finally:
        os.close(lock)


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def main() -> int:
    """Set the project up; return the process's exit code."""
    project = Project(ROOT)
    signal.signal(signal.SIGTERM, _interrupt)
    started = time.monotonic()
    try:
        if not stages_to_do(project, STAGES):
            return 0
        print(f'mmsnn set-up: making {project.venv}', flush=True)
        set_up(project, STAGES)
    except SetupError as error:
        print(f'mmsnn set-up: error: {error}', file=sys.stderr)
        return 1
    except OSError as error:
        advice = 'free some space' if is_disk_full(error) else 'mend this'
        print(
            f'mmsnn set-up: error: {error}; {advice}, then run the same command again',
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        print(
            'mmsnn set-up: interrupted; the same command takes it up again',
            file=sys.stderr,
        )
        return 130
    spent = elapsed_text(time.monotonic() - started)
    print(f'mmsnn set-up: done in {spent}', flush=True)
    return 0
