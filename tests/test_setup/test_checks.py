import errno
import os
import shutil
import sysconfig
from pathlib import Path
from types import SimpleNamespace

import pytest

from env_setup import checks
from env_setup.checks import GIB, SetupError


@pytest.mark.parametrize(
    ('output', 'expected'),
    [
        ('OSError: [Errno 28] No space left on device', 'disk is full'),
        ('NewConnectionError: ... Name or service not known', "can't reach"),
        ('c++: fatal error: Killed signal terminated program cc1plus', 'MAX_JOBS=1'),
        ('ERROR: No matching distribution found for torch==2.10.0', 'torch==2.10.0'),
        ('The detected CUDA version (13.0) mismatches the version', 'CUDA toolkit'),
        ('fatal error: Python.h: No such file or directory', 'python3-dev'),
        ('something else', 'it failed'),
    ],
)
def test_explain(output: str, expected: str) -> None:
    explanation = checks.explain(output, 'it failed')
    assert expected in explanation
    assert '\n' not in explanation


def test_explain_prefers_the_network_to_its_consequence() -> None:
    output = (
        'Retrying ... after connection broken by NewConnectionError\n'
        'ERROR: No matching distribution found for numpy'
    )
    assert "can't reach" in checks.explain(output, '')


def test_compiler_is_what_cxx_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('CXX', 'no-such-compiler -m64')
    assert checks.find_compiler() is None
    assert 'no-such-compiler' in (checks.missing_for_compiling() or '')
    monkeypatch.setenv('CXX', 'sh -c')
    assert checks.find_compiler() == shutil.which('sh')


def test_no_compiler_on_the_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv('CXX', raising=False)
    monkeypatch.setenv('PATH', str(tmp_path))
    message = checks.missing_for_compiling()
    assert message is not None
    assert 'apt install g++' in message


def test_missing_headers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv('CXX', 'sh')
    monkeypatch.setattr(sysconfig, 'get_paths', lambda: {'include': str(tmp_path)})
    assert 'Python.h' in (checks.missing_for_compiling() or '')
    (tmp_path / 'Python.h').touch()
    assert checks.missing_for_compiling() is None


def test_disk_too_full(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv('MMSNN_SETUP_GIB', raising=False)
    usage = SimpleNamespace(free=5 * GIB)
    monkeypatch.setattr(shutil, 'disk_usage', lambda folder: usage)
    with pytest.raises(SetupError, match=r'5\.0 GiB are free .* needs 12\.0 GiB'):
        checks.check_disk(tmp_path, tmp_path / '.venv')
    # What is in .venv already isn't asked for again; the hole costs no space.
    venv = tmp_path / '.venv'
    venv.mkdir()
    with (venv / 'big').open('wb') as file:
        os.truncate(file.fileno(), 8 * GIB)
    checks.check_disk(tmp_path, venv)


def test_disk_need_can_be_lowered(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    usage = SimpleNamespace(free=5 * GIB)
    monkeypatch.setattr(shutil, 'disk_usage', lambda folder: usage)
    monkeypatch.setenv('MMSNN_SETUP_GIB', '4')
    checks.check_disk(tmp_path, tmp_path / '.venv')
    monkeypatch.setenv('MMSNN_SETUP_GIB', 'much')
    with pytest.raises(SetupError, match='much is not a number'):
        checks.check_disk(tmp_path, tmp_path / '.venv')


def test_is_disk_full() -> None:
    assert checks.is_disk_full(OSError(errno.ENOSPC, 'full'))
    assert not checks.is_disk_full(PermissionError(errno.EACCES, 'denied'))
