"""The launcher of dist_train.sh: a failure in a line or two."""

import runpy
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .tiny_coco import TOOLS

Launch = Callable[..., tuple[int, list[str]]]


@pytest.fixture
def port() -> Iterator[int]:
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        number = free.getsockname()[1]
    yield number


@pytest.fixture
def launch(
    tmp_path: Path,
    port: int,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Launch:
    """Run a script in two processes; return the exit code and the lines of stderr."""
    monkeypatch.setenv('OMP_NUM_THREADS', '1')

    def run(text: str, port: int = port) -> tuple[int, list[str]]:
        script = tmp_path / 'script.py'
        script.write_text(f'import os, sys, time\nrank = os.environ["RANK"]\n{text}')
        options = ['--nproc-per-node=2', f'--master-port={port}']
        monkeypatch.setattr(sys, 'argv', ['_launch.py', *options, str(script)])
        with pytest.raises(SystemExit) as stop:
            runpy.run_path(str(TOOLS / '_launch.py'), run_name='__main__')
        lines = capfd.readouterr().err.strip().splitlines()
        assert not any('Traceback' in line for line in lines)
        return stop.value.code, lines

    return run


def test_a_process_that_fails(launch: Launch) -> None:
    code, lines = launch('if rank == "1": sys.exit("error: no data")\ntime.sleep(60)')
    assert code == 1
    assert lines[0] == 'error: no data'
    assert lines[1].startswith('launcher: rank 1 (local rank 1, process ')
    assert 'exit code 1' in lines[1]
    assert len(lines) == 2


def test_a_process_that_is_killed(launch: Launch) -> None:
    code, lines = launch('if rank == "0": os.kill(os.getpid(), 9)\ntime.sleep(60)')
    assert code == 1
    (line,) = lines
    assert line.startswith('launcher: rank 0 (')
    assert 'SIGKILL' in line
    assert 'memory' in line


def test_the_exit_code_of_a_mistake(launch: Launch) -> None:
    assert launch('sys.exit(2)')[0] == 2


def test_a_port_in_use(launch: Launch) -> None:
    with socket.create_server(('127.0.0.1', 0)) as server:
        used = server.getsockname()[1]
        code, lines = launch('time.sleep(60)', used)
    assert code == 2
    (line,) = lines
    assert f':{used} is in use' in line
    assert 'PORT' in line


def test_a_port_that_there_is_not(launch: Launch) -> None:
    code, (line,) = launch('time.sleep(60)', 99999)
    assert code == 2
    assert 'PORT must be from 1 to 65535, but got 99999' in line
