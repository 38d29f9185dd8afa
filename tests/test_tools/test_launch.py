"""The launcher of dist_train.sh: a failure in a line or two."""

import os
import re
import runpy
import socket
import subprocess
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


@pytest.mark.parametrize(
    ('text', 'code', 'first', 'parts'),
    [
        (
            'if rank == "1": sys.exit("error: no data")\ntime.sleep(60)',
            1,
            ['error: no data'],
            ['launcher: rank 1 (local rank 1, process ', 'exit code 1'],
        ),
        (
            'if rank == "0": os.kill(os.getpid(), 9)\ntime.sleep(60)',
            1,
            [],
            ['launcher: rank 0 (', 'SIGKILL', 'memory'],
        ),
        ('sys.exit(2)', 2, None, []),  # the exit code of a mistake
    ],
)
def test_a_process_that_fails(
    launch: Launch, text: str, code: int, first: list[str] | None, parts: list[str]
) -> None:
    found, lines = launch(text)
    assert found == code
    if first is not None:
        *before, line = lines
        assert before == first
        assert line.startswith(parts[0]) and all(part in line for part in parts)


def test_a_port_in_use(launch: Launch) -> None:
    with socket.create_server(('127.0.0.1', 0)) as server:
        used = server.getsockname()[1]
        code, lines = launch('time.sleep(60)', used)
    assert code == 2
    (line,) = lines
    assert f':{used} is in use' in line
    assert 'PORT' in line


@pytest.mark.parametrize(
    ('variables', 'message'),
    [
        ({'PORT': '99999'}, "PORT must .* from 1 to 65535, but got '99999'"),
        ({'PORT': 'abc'}, "PORT must .* from 1 to 65535, but got 'abc'"),
        ({'NNODES': '0'}, "NNODES must .* from 1 .* got '0'"),
        ({'NNODES': '2', 'NODE_RANK': 'x'}, "NODE_RANK must .* from 0 .* got 'x'"),
        ({'NNODES': '2', 'NODE_RANK': '2'}, 'NODE_RANK must .* NNODES, 2, but got 2'),
    ],
)
@pytest.mark.parametrize('script', ['dist_train.sh', 'dist_test.sh'])
def test_numbers_that_are_refused(
    script: str, variables: dict[str, str], message: str
) -> None:
    arguments = ['config.py', 'a.pth', '1'] if 'test' in script else ['config.py', '1']
    ended = subprocess.run(
        ['bash', str(TOOLS / script), *arguments],
        env={**os.environ, 'PYTHON': sys.executable, **variables},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 2
    assert re.fullmatch(f'launcher: {message}\n', ended.stderr)
