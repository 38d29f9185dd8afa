import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from env_setup import runner as runner_module
from env_setup.checks import SetupError
from env_setup.runner import Progress, Runner, elapsed_text, shown_line


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[Runner]:
    descriptor = os.open(tmp_path / 'lock', os.O_RDWR | os.O_CREAT)
    yield Runner(tmp_path / 'log', descriptor, dict(os.environ))
    os.close(descriptor)


def _python(code: str) -> list[str]:
    return [sys.executable, '-c', code]


def test_everything_is_logged(runner: Runner, tmp_path: Path) -> None:
    code = 'import sys; print("out"); sys.stdout.flush(); sys.stderr.write("err")'
    runner.run(_python(code), 'failed', tmp_path)
    assert runner.log_path.read_text().splitlines()[1:] == ['out', 'err']


def test_a_failure_is_explained_and_points_to_the_log(
    runner: Runner, tmp_path: Path
) -> None:
    with pytest.raises(SetupError, match=r'it failed \(exit code 3\).*log') as error:
        runner.run(_python('raise SystemExit(3)'), 'it failed', tmp_path)
    assert '\n' not in str(error.value)
    full = _python('print("No space left on device"); raise SystemExit(1)')
    with pytest.raises(SetupError, match='disk is full'):
        runner.run(full, 'it failed', tmp_path)


def test_a_child_keeps_the_lock(runner: Runner, tmp_path: Path) -> None:
    fcntl.flock(runner.lock_fd, fcntl.LOCK_EX)
    code = f'import os; os.fstat({runner.lock_fd})'
    runner.run(_python(code), 'the child has no lock', tmp_path)


def test_an_interrupt_ends_the_children(
    runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(progress: Progress, line: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Progress, 'see', interrupt)
    grandchild = 'import os, time; print(os.getpid(), flush=True); time.sleep(60)'
    code = f'import subprocess as s, sys; s.run([sys.executable, "-c", {grandchild!r}])'
    started = subprocess.Popen
    children: list[subprocess.Popen[bytes]] = []

    def remember(*args: object, **kwargs: object) -> subprocess.Popen[bytes]:
        children.append(started(*args, **kwargs))  # type: ignore[call-overload]
        return children[-1]

    monkeypatch.setattr(runner_module.subprocess, 'Popen', remember)
    with pytest.raises(KeyboardInterrupt):
        runner.run(_python(code), 'failed', tmp_path)
    assert children[0].returncode == -signal.SIGTERM
    deadline = time.monotonic() + 10
    while _group_lives(children[0].pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _group_lives(children[0].pid)


def _group_lives(group: int) -> bool:
    """Return whether a process of the group runs (zombies do not)."""
    for stat in Path('/proc').glob('[0-9]*/stat'):
        try:
            fields = stat.read_text().rpartition(')')[2].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] != 'Z':
            return True
    return False


@pytest.mark.parametrize(
    ('line', 'shown'),
    [
        ('  Downloading torch.whl (915.5 MB)', 'Downloading torch.whl (915.5 MB)'),
        ('  Downloading small.whl (15.5 kB)', None),
        ('Installing collected packages: a, b, c', 'Installing 3 package(s)'),
        ('  Building wheel for x (pyproject.toml): started', 'Building wheel for x'),
        ("  Building wheel for x (setup.py): finished with status 'done'", None),
        ('Collecting torch', None),
    ],
)
def test_shown_line(line: str, shown: str | None) -> None:
    assert shown_line(line) == shown


def test_silence_gets_a_sign_of_life(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter([0.0, 10.0, 65.0, 65.0, 65.0, 66.0])
    monkeypatch.setattr(time, 'monotonic', lambda: next(clock))
    progress = Progress()
    progress.see('  [12/78] c++ -c x.cpp')
    progress.tick()
    assert capsys.readouterr().out == ''
    progress.tick()
    assert capsys.readouterr().out.strip() == '... 1 min 5 s, compiled 12 of 78 files'
    progress.tick()
    assert capsys.readouterr().out == ''


def test_elapsed_text() -> None:
    assert elapsed_text(59.9) == '59 s'
    assert elapsed_text(125) == '2 min 5 s'
