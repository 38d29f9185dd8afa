"""Compiles the kernels on first use, and keeps them for later ones."""

import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
import warnings
from pathlib import Path

SOURCE = Path(__file__).with_name('csrc') / 'spikes.cpp'
SWITCH = 'MMSNN_KERNELS'
FOLDER = 'MMSNN_CACHE'
FLAGS = (
    '-O3',
    '-march=native',
    # one rounding an operation, as in PyTorch: the spikes are the same to the bit
    '-ffp-contract=off',
    '-fno-math-errno',
    '-fno-trapping-math',
    '-std=c++17',
    '-fPIC',
    '-shared',
    '-fopenmp',
)
TIMEOUT_S = 300


@functools.cache
def library() -> ctypes.CDLL | None:
    """Return the compiled kernels; None if they are switched off or cannot be had.

    They are compiled once a machine, into the folder of the environment variable
    ``MMSNN_CACHE`` or else a user's cache; ``MMSNN_KERNELS=0`` is without. Where they
    cannot be compiled, which is said once, everything works, slower.
    """
    if os.environ.get(SWITCH, '1') == '0':
        return None
    try:
        return ctypes.CDLL(str(compiled()))
    except (OSError, subprocess.SubprocessError) as error:
        detail = getattr(error, 'stderr', None) or str(error)
        warnings.warn(
            'the kernels of mmsnn cannot be compiled, its networks are slower without: '
            f'{detail.strip().splitlines()[-1]} ({SWITCH}=0 does not try)',
            stacklevel=2,
        )
        return None


def compiled() -> Path:
    """Return the compiled library, after compiling it if need be.

    Raises:
        OSError: If there is no compiler or no folder to write to.
        subprocess.SubprocessError: If the compiler fails.
    """
    compiler = find_compiler()
    path = cache_folder() / f'spikes-{fingerprint(compiler)}.so'
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        # under another name until it is whole: several processes may start at once
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            made = Path(folder, path.name)
            subprocess.run(
                [compiler, *FLAGS, str(SOURCE), '-o', str(made)],
                check=True,
                capture_output=True,
                text=True,
                timeout=TIMEOUT_S,
            )
            os.replace(made, path)
    return path


def find_compiler() -> str:
    """Return the path of a C++ compiler: ``CXX``, or one of the usual names.

    Raises:
        FileNotFoundError: If there is none.
    """
    names = [os.environ['CXX']] if os.environ.get('CXX') else ['c++', 'g++', 'clang++']
    for name in names:
        path = shutil.which(name)
        if path is not None:
            return path
    raise FileNotFoundError(f'no C++ compiler: {", ".join(names)} not found')


def cache_folder() -> Path:
    """Return where compiled kernels are kept."""
    if os.environ.get(FOLDER):
        return Path(os.environ[FOLDER])
    base = os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache'
    return Path(base, 'mmsnn')


def fingerprint(compiler: str) -> str:
    """Return what tells one compilation from another: source, flags, machine."""
    version = subprocess.run(
        [compiler, '--version'], check=True, capture_output=True, text=True, timeout=60
    ).stdout
    parts = [SOURCE.read_text(encoding='utf-8'), *FLAGS, version, _processor()]
    return hashlib.sha256('\0'.join(parts).encode()).hexdigest()[:16]


def _processor() -> str:
    """Return what the processor can do, for which ``-march=native`` compiles."""
    try:
        lines = Path('/proc/cpuinfo').read_text(encoding='utf-8').splitlines()
    except OSError:
        return platform.processor()
    kinds = ('model name', 'flags', 'Features', 'CPU part')
    known = [line for line in lines if line.startswith(kinds)]
    return platform.machine() + '\n'.join(dict.fromkeys(known))
