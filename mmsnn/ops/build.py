"""Compile the C++ operators on first use and cache the library.

The cached library is code that later processes run. It is therefore stored in a private
folder of the user, under a name that contains the digest of its content, and is loaded
only if owner, permissions and digest are correct.
"""

import ctypes
import functools
import hashlib
import itertools
import os
import platform
import re
import shutil
import stat
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SOURCE = Path(__file__).with_name('csrc') / 'spikes.cpp'
SWITCH = 'MMSNN_KERNELS'
FOLDER = 'MMSNN_CACHE'
FLAGS = (
    '-O3',
    '-march=native',
    # one rounding per operation, as in PyTorch: the spikes are bit-identical
    '-ffp-contract=off',
    '-fno-math-errno',
    '-fno-trapping-math',
    '-std=c++17',
    '-fPIC',
    '-shared',
    '-fopenmp',
)
TIMEOUT_S = 300
_PROCESSOR = Path('/proc/cpuinfo')


class CompilerError(Exception):
    """Raised if there is no compiler or compilation fails."""


@functools.cache
def library() -> ctypes.CDLL | None:
    """Return the compiled kernels; None if they are disabled or cannot be compiled.

    They are compiled once per kind of machine, into the folder that the environment
    variable ``MMSNN_CACHE`` names, by default the user's cache. ``MMSNN_KERNELS=0``
    disables them; they are not available on Windows. If compilation fails, a warning is
    issued once and the slower PyTorch path is used.
    """
    if os.environ.get(SWITCH, '1') == '0' or os.name != 'posix':
        return None
    try:
        return _open(compiled())
    except (OSError, RuntimeError, CompilerError) as error:
        warnings.warn(
            'compiling the operators of mmsnn failed, the slower PyTorch path is used: '
            f'{error} ({SWITCH}=0 disables compiled operators)',
            stacklevel=2,
        )
        return None


def compiled() -> Path:
    """Return the path of the compiled library, compiling it if necessary.

    If the cache folder is not private or not writable, a warning is issued and a folder
    in the directory for temporary files is used.

    Raises:
        CompilerError: If there is no compiler or it fails.
        OSError: If neither folder can be used.
        RuntimeError: If there is no home directory and the second folder cannot be
            used.
    """
    try:
        return _compiled_in(cache_folder())
    except (OSError, RuntimeError) as error:
        try:
            path = _compiled_in(Path(tempfile.gettempdir(), f'mmsnn-{os.geteuid()}'))
        except OSError:
            raise error from None
        warnings.warn(f'{error}; the kernels of mmsnn are in {path}', stacklevel=2)
        return path


def find_compiler() -> str:
    """Return the path of a C++ compiler, ``CXX`` or one of the usual names.

    Raises:
        CompilerError: If there is none.
    """
    names = [os.environ['CXX']] if os.environ.get('CXX') else ['c++', 'g++', 'clang++']
    for name in names:
        path = shutil.which(name)
        if path is not None:
            return path
    raise CompilerError(f'no C++ compiler: {", ".join(names)} not found')


def cache_folder() -> Path:
    """Return the folder in which compiled libraries are cached."""
    if os.environ.get(FOLDER):
        return Path(os.environ[FOLDER])
    base = os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache'
    return Path(base, 'mmsnn')


def fingerprint() -> str:
    """Return a digest of what a library depends on.

    That is the source, flags, processor and C library. The compiler is not included, so
    that a cached library is found without one.
    """
    libc = ''.join(platform.libc_ver())
    parts = [SOURCE.read_text(encoding='utf-8'), *FLAGS, libc, _processor()]
    return hashlib.sha256('\0'.join(parts).encode()).hexdigest()[:16]


def _processor() -> str:
    """Return the features of the processor, for which ``-march=native`` compiles."""
    try:
        lines = _PROCESSOR.read_text(encoding='utf-8').splitlines()
    except OSError:
        lines = []
    kinds = ('model name', 'flags', 'Features', 'CPU part')
    known = [line for line in lines if line.startswith(kinds)]
    # machines with unknown features do not share libraries
    return platform.machine() + '\n'.join(dict.fromkeys(known or [platform.node()]))


def _compiled_in(folder: Path) -> Path:
    """Return the library in a folder, compiling it if necessary.

    Raises:
        CompilerError: If there is no compiler or it fails.
        OSError: If the folder is not private or cannot be written.
    """
    _make_private(folder)
    name = f'spikes-{fingerprint()}'
    path = _find(folder, name)
    if path is None:
        compiler = find_compiler()
        with _only_builder(folder):
            # another process may have compiled it in the meantime
            path = _find(folder, name) or _build(folder, name, compiler)
    return path


def _make_private(folder: Path) -> None:
    """Create a folder that only the user can enter, or check an existing one.

    Raises:
        OSError: If it cannot be created, or is not private.
    """
    for place in (*reversed(folder.parents), folder):
        place.mkdir(0o700, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode):
        raise PermissionError(f'{folder} is a link')
    _check_owner(folder, status)


def _check_owner(path: Path, status: os.stat_result) -> None:
    """Check that the user owns a path and nobody else can write to it.

    Raises:
        PermissionError: If that is not the case.
    """
    if status.st_uid != os.geteuid():
        raise PermissionError(f'{path} belongs to another user')
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise PermissionError(f'{path} can be written by others (chmod go-w)')


def _find(folder: Path, name: str) -> Path | None:
    """Return the library of a name if the user owns it and its digest is correct."""
    for path in folder.glob(f'{name}-*.so'):
        try:
            status = path.lstat()
            _check_owner(path, status)
            if stat.S_ISREG(status.st_mode) and path.stem == f'{name}-{_digest(path)}':
                return path
        except OSError:
            continue
    return None


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:32]


@contextmanager
def _only_builder(folder: Path) -> Iterator[None]:
    """Hold a folder's lock, so that only one process at a time compiles into it.

    Raises:
        OSError: If the folder cannot be written, its file system has no locks, or the
            lock is not released in time.
    """
    import fcntl

    # the operating system releases the lock even if the process is killed
    lock = os.open(folder / 'lock', os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise TimeoutError(
                        f'another process holds {folder / "lock"}'
                    ) from None
                time.sleep(0.05)
        yield
    finally:
        os.close(lock)


def _build(folder: Path, name: str, compiler: str) -> Path:
    """Compile the library of a name into a folder, whose lock the caller holds.

    Raises:
        CompilerError: If the compiler fails or its output cannot be loaded.
        OSError: If the folder cannot be written.
    """
    # remove files of interrupted compilations and rejected libraries
    for path in (*folder.glob('build-*'), *folder.glob(f'{name}-*.so')):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()
    with tempfile.TemporaryDirectory(
        prefix='build-', dir=folder, ignore_cleanup_errors=True
    ) as scratch:
        made = Path(scratch, 'spikes.so')
        _compile(compiler, made)
        made.chmod(0o600)
        _flush(made)
        path = folder / f'{name}-{_digest(made)}.so'
        os.replace(made, path)
    _flush(folder)
    return path


def _compile(compiler: str, made: Path) -> None:
    """Compile the source into a file, with the compiler's temporary files next to it.

    Raises:
        CompilerError: If the compiler fails or its output cannot be loaded.
    """
    try:
        subprocess.run(
            [compiler, *FLAGS, str(SOURCE), '-o', str(made)],
            check=True,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            env=os.environ | {'TMPDIR': str(made.parent)},
        )
        _open(made)
    except (OSError, subprocess.SubprocessError) as error:
        detail = (getattr(error, 'stderr', None) or '').strip() or str(error)
        raise CompilerError(detail.splitlines()[-1]) from error


def _open(path: Path) -> ctypes.CDLL:
    """Load a library and check that it has all functions of the source.

    Raises:
        OSError: If it cannot be loaded or lacks a function.
    """
    opened = ctypes.CDLL(str(path))
    source = SOURCE.read_text(encoding='utf-8')
    functions = re.findall(r'(\w+)_##SUFFIX\(', source)
    suffixes = re.findall(r'^EXPORT\((\w+),', source, re.MULTILINE)
    for function, suffix in itertools.product(functions, suffixes):
        if not hasattr(opened, f'{function}_{suffix}'):
            raise OSError(f'{path} has no function {function}_{suffix}')
    return opened


def _flush(path: Path) -> None:
    """Flush a file or folder to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
