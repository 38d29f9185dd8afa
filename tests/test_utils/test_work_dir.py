"""Work dirs: writable, and of one training at a time."""

import os
import signal
from pathlib import Path

import pytest

from mmsnn.utils.errors import UserError
from mmsnn.utils.work_dir import claim_work_dir


def claim_in_a_process(path: Path) -> tuple[int, int]:
    """Claim a work dir in a process that waits; return it and a worker of it."""
    read, write = os.pipe()
    process = os.fork()
    if process == 0:
        with claim_work_dir(str(path)):
            worker = os.fork()
            if worker:
                os.write(write, str(worker).encode())
            signal.pause()
    worker = int(os.read(read, 20))
    os.close(read)
    os.close(write)
    return process, worker


def test_a_second_training_is_refused(tmp_path: Path) -> None:
    """And not after the first is killed, although a process that it started lives."""
    path = tmp_path / 'new' / 'run'
    process, worker = claim_in_a_process(path)
    try:
        with pytest.raises(UserError) as caught, claim_work_dir(str(path)):
            pass
        assert repr(str(path)) in str(caught.value)
        assert f'process {process}' in str(caught.value)
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        with claim_work_dir(str(path)):
            pass
    finally:
        os.kill(worker, signal.SIGKILL)


def test_other_processes_of_a_run_share_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process, worker = claim_in_a_process(tmp_path)
    try:
        monkeypatch.setenv('RANK', '1')
        with claim_work_dir(str(tmp_path), 'pytorch'):
            pass
        monkeypatch.setenv('RANK', '0')
        with pytest.raises(UserError), claim_work_dir(str(tmp_path), 'pytorch'):
            pass
    finally:
        os.kill(worker, signal.SIGKILL)
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)


def test_not_writable(tmp_path: Path) -> None:
    (tmp_path / 'file').touch()
    path = str(tmp_path / 'file' / 'run')
    with (
        pytest.raises(UserError, match='cannot be written') as caught,
        claim_work_dir(path),
    ):
        pass
    assert repr(path) in str(caught.value)
