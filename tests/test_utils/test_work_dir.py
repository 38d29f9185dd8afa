"""Work dirs: writable, and of one training at a time."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from mmsnn.utils.errors import UserError
from mmsnn.utils.work_dir import claim_work_dir


@pytest.fixture
def claimed(tmp_path: Path) -> Iterator[int]:
    """The process that has claimed the folder ``run`` and waits, and a worker of it."""
    read, write = os.pipe()
    process = os.fork()
    if process == 0:
        with claim_work_dir(str(tmp_path / 'new' / 'run')):
            worker = os.fork()
            if worker:
                os.write(write, str(worker).encode())
            signal.pause()
    worker = int(os.read(read, 20))
    os.close(read)
    os.close(write)
    yield process
    os.kill(worker, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError, ChildProcessError):
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)


def claim(path: Path, launcher: str = 'none') -> None:
    with claim_work_dir(str(path), launcher):
        pass


def test_a_second_training_is_refused(
    tmp_path: Path, claimed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But not another process of it, nor one after the first is killed.

    Although a process that it started lives.
    """
    path = tmp_path / 'new' / 'run'
    with pytest.raises(UserError) as caught:
        claim(path)
    assert repr(str(path)) in str(caught.value)
    assert f'process {claimed}' in str(caught.value)
    monkeypatch.setenv('RANK', '1')
    claim(path, 'pytorch')
    monkeypatch.setenv('RANK', '0')
    with pytest.raises(UserError):
        claim(path, 'pytorch')
    os.kill(claimed, signal.SIGKILL)
    os.waitpid(claimed, 0)
    claim(path)


def test_not_writable(tmp_path: Path) -> None:
    (tmp_path / 'file').touch()
    path = tmp_path / 'file' / 'run'
    with pytest.raises(UserError, match='cannot be written') as caught:
        claim(path)
    assert repr(str(path)) in str(caught.value)
