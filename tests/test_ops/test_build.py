"""Compiling the kernels: once, whole, and not at all where that cannot be."""

import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from mmsnn.models import SGResNet
from mmsnn.ops import build

# the module alone, which spares the imports of the package
ALONE = f"""
import importlib.util
spec = importlib.util.spec_from_file_location('build', {build.__file__!r})
build = importlib.util.module_from_spec(spec)
spec.loader.exec_module(build)
print(build.compiled())
"""


@pytest.fixture(autouse=True)
def _forget() -> None:
    """Each test asks anew; afterwards the real library is asked for again."""
    build.library.cache_clear()
    yield
    build.library.cache_clear()


@pytest.fixture(scope='module')
def real_library() -> Path:
    return build.compiled()


@pytest.fixture
def compiler(
    tmp_path: Path, real_library: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A compiler that copies what it should compile, and counts; folders of a test."""
    path = tmp_path / 'cxx'
    write_compiler(path, f'cp {real_library} "$last"')
    monkeypatch.setenv('CXX', str(path))
    monkeypatch.setenv(build.FOLDER, str(tmp_path / 'cache'))
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path))
    return path


def write_compiler(path: Path, *commands: str) -> None:
    """Write a compiler that does this; $last is the file that it is to make."""
    count = f'echo call >> {path.parent}/calls\n'
    path.write_text(
        '#!/bin/sh\n' + count + 'for last; do :; done\n' + '\n'.join(commands),
        encoding='utf-8',
    )
    path.chmod(0o755)


def count_calls(tmp_path: Path) -> int:
    calls = tmp_path / 'calls'
    return calls.read_text().count('call') if calls.exists() else 0


def spare(tmp_path: Path) -> Path:
    return tmp_path / f'mmsnn-{os.geteuid()}'


def test_compiles_once(compiler: Path, tmp_path: Path) -> None:
    path = build.compiled()
    assert build.compiled() == path
    assert count_calls(tmp_path) == 1
    assert sorted(path.parent.iterdir()) == [path.parent / 'lock', path]
    assert build.library() is not None


def test_without_a_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(build.FOLDER, str(tmp_path / 'cache'))
    monkeypatch.delenv('CXX', raising=False)
    monkeypatch.setenv('PATH', str(tmp_path))
    with pytest.warns(UserWarning, match=r'c\+\+, g\+\+, clang\+\+ not found.*=0'):
        assert build.library() is None
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert build.library() is None


def test_a_library_is_used_without_a_compiler(
    compiler: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = build.compiled()
    compiler.unlink()
    assert build.compiled() == path
    assert build.library() is not None


@pytest.mark.parametrize(
    ('commands', 'message'),
    [
        (['echo no such instruction >&2; exit 1'], 'no such instruction'),
        (['echo text > "$last"'], 'invalid ELF header|file too short'),
        (['true'], 'No such file'),
        (
            ['echo "int f() { return 1; }" | c++ -x c++ -shared -fPIC - -o "$last"'],
            'has no function multi_step_f32',
        ),
    ],
)
def test_a_compiler_that_fails(
    compiler: Path, commands: list[str], message: str
) -> None:
    write_compiler(compiler, *commands)
    with pytest.warns(UserWarning, match=message):
        assert build.library() is None
    assert [path.name for path in build.cache_folder().iterdir()] == ['lock']


def test_a_folder_that_cannot_be_written(
    compiler: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The folder of temporary files takes its place; without that, nothing does."""
    (tmp_path / 'file').touch()
    monkeypatch.setenv(build.FOLDER, str(tmp_path / 'file' / 'cache'))
    with pytest.warns(UserWarning, match='File exists'):
        assert build.compiled().parent == spare(tmp_path)
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path / 'file'))
    with pytest.warns(UserWarning, match='File exists'):
        assert build.library() is None


@pytest.mark.parametrize('umask', [0o000, 0o022, 0o077])
def test_what_is_made_is_private(
    compiler: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, umask: int
) -> None:
    """The folder, those above it, and the library, whatever the user's mask."""
    monkeypatch.setenv(build.FOLDER, str(tmp_path / 'above' / 'cache'))
    before = os.umask(umask)
    try:
        path = build.compiled()
    finally:
        os.umask(before)
    modes = [stat.S_IMODE(each.stat().st_mode) for each in (path, *path.parents[:2])]
    assert modes == [0o600, 0o700, 0o700]
    assert stat.S_IMODE((path.parent / 'lock').stat().st_mode) == 0o600


def link_away(folder: Path) -> None:
    elsewhere = folder.with_name(f'{folder.name}_elsewhere')
    folder.rename(elsewhere)
    folder.symlink_to(elsewhere)


@pytest.mark.parametrize(
    ('spoil', 'message'),
    [
        (lambda folder: folder.chmod(0o702), 'can be written by others'),
        (lambda folder: folder.chmod(0o770), 'can be written by others'),
        (link_away, 'is a link'),
    ],
)
def test_a_folder_that_is_not_private(
    compiler: Path, tmp_path: Path, spoil: Callable[[Path], None], message: str
) -> None:
    """A library in it is not opened; another folder is used, with a warning."""
    planted = build.compiled()
    spoil(planted.parent)
    with pytest.warns(UserWarning, match=f'cache {message}'):
        path = build.compiled()
    assert path.parent == spare(tmp_path)
    assert count_calls(tmp_path) == 2
    spoil(spare(tmp_path))
    with pytest.warns(UserWarning, match=f'cache {message}'):
        assert build.library() is None


def test_a_folder_of_another_user(
    compiler: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build.compiled()
    monkeypatch.setattr(os, 'geteuid', lambda: os.getuid() + 1)
    with pytest.warns(UserWarning, match='cache belongs to another user'):
        assert build.library() is None


def replace_by(path: Path, content: bytes) -> None:
    path.unlink()  # this process has the file mapped: writing to it would kill it
    path.write_bytes(content)


def replace_by_link(path: Path) -> None:
    path.rename(path.parents[1] / 'planted.so')
    path.symlink_to(path.parents[1] / 'planted.so')


@pytest.mark.parametrize(
    'spoil',
    [
        lambda path: replace_by(path, b''),
        lambda path: replace_by(path, path.read_bytes()[:100_000]),
        lambda path: replace_by(path, path.read_bytes()[:-1] + b'x'),
        lambda path: path.chmod(0o666),
        replace_by_link,
        lambda path: (path.unlink(), path.mkdir()),
    ],
    ids=['empty', 'truncated', 'changed', 'writable', 'link', 'folder'],
)
def test_a_spoilt_library(
    compiler: Path, tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    path = build.compiled()
    content = path.read_bytes()
    spoil(path)
    assert build.compiled() == path
    assert path.lstat().st_mode == stat.S_IFREG | 0o600
    assert path.read_bytes() == content
    assert count_calls(tmp_path) == 2


def test_a_library_of_another_user(
    compiler: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = build.compiled()
    check = build._check_owner

    def check_owner(of: Path, status: os.stat_result) -> None:
        if of.suffix == '.so' and count_calls(tmp_path) == 1:
            raise PermissionError
        check(of, status)

    monkeypatch.setattr(build, '_check_owner', check_owner)
    assert build.compiled() == path
    assert count_calls(tmp_path) == 2


def test_four_processes_compile_once(
    compiler: Path, tmp_path: Path, real_library: Path
) -> None:
    write_compiler(compiler, 'sleep 0.5', f'cp {real_library} "$last"')
    command = [sys.executable, '-c', ALONE]
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    paths = {process.communicate()[0] for process in running}
    assert [process.returncode for process in running] == [0] * 4
    assert paths == {f'{build.compiled()}\n'}
    assert count_calls(tmp_path) == 1


def test_a_killed_compilation(
    compiler: Path, tmp_path: Path, real_library: Path
) -> None:
    """The next one removes what it left, and does not wait for it."""
    started = tmp_path / 'started'
    write_compiler(compiler, f'echo half > "$last"; touch {started}; sleep 600')
    process = subprocess.Popen([sys.executable, '-c', ALONE], start_new_session=True)
    while not started.exists():
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert len(list(build.cache_folder().glob('build-*/spikes.so'))) == 1
    write_compiler(compiler, f'cp {real_library} "$last"')
    path = build.compiled()
    assert sorted(path.parent.iterdir()) == [path.parent / 'lock', path]


def test_a_process_that_never_ends(
    compiler: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others wait as long as compiling may take, then use another folder."""
    build._make_private(build.cache_folder())
    monkeypatch.setattr(build, 'TIMEOUT_S', 0)
    with (
        build._only_builder(build.cache_folder()),
        pytest.warns(UserWarning, match='another process holds .*lock'),
    ):
        monkeypatch.setattr(build, '_compile', lambda _, made: made.touch())
        assert build.compiled().parent == spare(tmp_path)


def test_each_kind_of_machine_has_a_library(
    compiler: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a home that machines share; an unknown processor is known by its name."""
    processor = tmp_path / 'cpuinfo'
    monkeypatch.setattr(build, '_PROCESSOR', processor)
    found = []
    for flags in ('sse avx', 'sse avx avx512f', None):
        if flags is None:
            processor.unlink()
        else:
            processor.write_text(f'processor: 0\nflags: {flags}\nbogomips: 1\n')
        found += [build.compiled(), build.compiled()]
    monkeypatch.setattr(build.platform, 'node', lambda: 'another')
    found.append(build.compiled())
    assert len(set(found)) == 4
    assert all(path.is_file() for path in found)
    assert count_calls(tmp_path) == 4


def test_switched_off(compiler: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(build.SWITCH, '0')
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert build.library() is None


def test_networks_work_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """They compute the same with the kernels switched off."""
    image, found = torch.randn(2, 3, 16, 16), []
    network = SGResNet(10, num_steps=2, base_channels=16, stem='cifar').train()
    for switch in ('1', '0'):
        monkeypatch.setenv(build.SWITCH, switch)
        build.library.cache_clear()
        network.zero_grad()
        features = network(image)[0]
        features.sum().backward()
        assert (build.library() is None) == (switch == '0')
        found.append([features, *(p.grad for p in network.parameters())])
    for compiled, plain in zip(*found, strict=True):
        torch.testing.assert_close(plain, compiled, rtol=1e-3, atol=1e-4)
    assert torch.equal(found[0][0], found[1][0])


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
    project = Path(build.__file__).parents[2] / 'pyproject.toml'
    assert '"mmsnn.ops" = ["csrc/*.cpp"]' in project.read_text(encoding='utf-8')
    assert build.SOURCE.is_file()
