"""Compiling the kernels: once, whole, and not at all where that cannot be."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from mmsnn.ops import build


@pytest.fixture(autouse=True)
def _forget() -> None:
    """Each test asks anew; afterwards the real library is asked for again."""
    build.library.cache_clear()
    yield
    build.library.cache_clear()


@pytest.fixture
def compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A compiler that copies what it should compile, and counts."""
    path = tmp_path / 'cxx'
    path.write_text(
        '#!/bin/sh\n'
        'if [ "$1" = --version ]; then echo a compiler; exit; fi\n'
        f'echo call >> {tmp_path}/calls\n'
        'for last; do :; done\n'
        'echo library > "$last"\n',
        encoding='utf-8',
    )
    path.chmod(0o755)
    monkeypatch.setenv('CXX', str(path))
    monkeypatch.setenv(build.FOLDER, str(tmp_path / 'cache'))
    return path


def test_compiles_once(compiler: Path, tmp_path: Path) -> None:
    """The second call finds it, another compiler compiles anew, no scraps are left."""
    path = build.compiled()
    assert path.read_text() == 'library\n'
    assert build.compiled() == path
    assert (tmp_path / 'calls').read_text() == 'call\n'
    assert list(path.parent.iterdir()) == [path]
    compiler.write_text(compiler.read_text().replace('a compiler', 'a newer compiler'))
    assert build.compiled() != path
    assert (tmp_path / 'calls').read_text() == 'call\ncall\n'


def test_without_a_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One warning that says so, and how to be without it."""
    monkeypatch.delenv('CXX', raising=False)
    monkeypatch.setenv('PATH', str(tmp_path))
    with pytest.warns(UserWarning, match=r'c\+\+, g\+\+, clang\+\+ not found.*=0'):
        assert build.library() is None
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert build.library() is None


def test_a_compiler_that_fails(compiler: Path) -> None:
    """Its last line is in the warning, and nothing is kept."""
    compiler.write_text(
        '#!/bin/sh\nif [ "$1" = --version ]; then exit; fi\n'
        'echo no such instruction >&2; exit 1\n'
    )
    with pytest.warns(UserWarning, match='no such instruction'):
        assert build.library() is None
    assert not list(build.cache_folder().iterdir())


def test_a_folder_that_cannot_be_written(
    compiler: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As without a compiler."""
    (tmp_path / 'file').touch()
    monkeypatch.setenv(build.FOLDER, str(tmp_path / 'file' / 'cache'))
    with pytest.warns(UserWarning, match='Not a directory'):
        assert build.library() is None


def test_switched_off(compiler: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is compiled, and nothing said."""
    monkeypatch.setenv(build.SWITCH, '0')
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert build.library() is None


def test_networks_work_without() -> None:
    """A process with the kernels switched off, and what it computes."""
    code = (
        'import torch; from mmsnn.models import SGResNet; from mmsnn.ops import build\n'
        'torch.manual_seed(0); torch.set_num_threads(1)\n'
        'net = SGResNet(10, num_steps=2, base_channels=16, stem="cifar").train()\n'
        'y = net(torch.randn(2, 3, 16, 16))[0]; y.sum().backward()\n'
        'grads = sum(p.grad.abs().sum() for p in net.parameters())\n'
        'print(build.library() is None, y.sum().item(), f"{grads.item():.3e}")\n'
    )
    found = []
    for switch in ('0', '1'):
        env = os.environ | {build.SWITCH: switch}
        command = [sys.executable, '-W', 'ignore', '-c', code]
        out = subprocess.run(
            command, env=env, capture_output=True, text=True, check=True
        )
        found.append(out.stdout.strip().splitlines()[-1].split())
    assert found[0][0] == 'True'
    assert found[0][1:] == found[1][1:]


def test_the_cache_is_a_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """``MMSNN_CACHE``, else XDG's folder, else ``~/.cache``."""
    monkeypatch.setenv('HOME', str(tmp_path))
    monkeypatch.delenv(build.FOLDER, raising=False)
    monkeypatch.delenv('XDG_CACHE_HOME', raising=False)
    assert build.cache_folder() == tmp_path / '.cache' / 'mmsnn'
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'xdg'))
    assert build.cache_folder() == tmp_path / 'xdg' / 'mmsnn'
    monkeypatch.setenv(build.FOLDER, str(tmp_path / 'own'))
    assert build.cache_folder() == tmp_path / 'own'


def test_the_source_is_packed() -> None:
    """An installed package has what it compiles."""
    project = Path(build.__file__).parents[2] / 'pyproject.toml'
    assert '"mmsnn.ops" = ["csrc/*.cpp"]' in project.read_text(encoding='utf-8')
    assert build.SOURCE.is_file()
