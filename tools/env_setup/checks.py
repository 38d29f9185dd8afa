"""What a machine must have, and what a failed command means."""

from __future__ import annotations

import errno
import os
import re
import shlex
import shutil
import sysconfig
from pathlib import Path

GIB = 1024**3

# Measured with the locked stack on Linux x86-64 (CUDA build of torch): .venv
# ends at 8.1 GiB, and pip keeps up to 4 GiB of downloads until it has unpacked
# them. With a smaller build of torch MMSNN_SETUP_GIB can lower what is asked for.
NEEDED_GIB = 12.0

# What pip or the compiler said -> what to do. The first that matches wins.
_EXPLANATIONS = (
    (
        r'No space left on device|Errno 28\b|Disk quota exceeded',
        'the disk is full: free some space, then run the same command again',
    ),
    (
        r'detected CUDA version .* mismatches',
        "the CUDA toolkit does not fit PyTorch's: install the version that "
        'the log names, or build MMCV for the CPU only with CUDA_VISIBLE_DEVICES= '
        'in front of the command',
    ),
    (
        r'Temporary failure in name resolution|Name or service not known|'
        r'getaddrinfo failed|NameResolutionError|NewConnectionError|'
        r'Network is unreachable|No route to host|ConnectTimeout|ReadTimeout|'
        r'Connection refused|ProxyError|Connection broken|IncompleteRead|'
        r'Connection aborted|CERTIFICATE_VERIFY_FAILED',
        "pip can't reach its package index: check the network and "
        '`pip config list`, then run the same command again',
    ),
    (
        r'Killed signal|internal compiler error: Killed|Cannot allocate memory|'
        r'out of memory|MemoryError',
        'memory ran out: run the same command again with MAX_JOBS=1 in front of it',
    ),
    (
        r'fatal error: Python\.h: No such file',
        "Python's C headers are missing: install them (Debian, Ubuntu: "
        'apt install python3-dev), then run the same command again',
    ),
    (
        r'No matching distribution found for (?P<what>\S+)',
        'pip finds no {what} for this Python and machine: the stack is known to '
        'work on Linux x86-64 with Python 3.11 to 3.13',
    ),
)


class SetupError(Exception):
    """A reason why the set-up can't go on, in one line that says what to do."""


def explain(output: str, fallback: str) -> str:
    """Return one line that says what a failed command's output means.

    Args:
        output: What the command printed.
        fallback: The line for an output that nothing is known about.
    """
    for pattern, advice in _EXPLANATIONS:
        match = re.search(pattern, output)
        if match:
            return advice.format(**match.groupdict())
    return fallback


def is_disk_full(error: OSError) -> bool:
    """Return whether an `OSError` says that there is no space left."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def find_compiler() -> str | None:
    """Return the C++ compiler that builds of extensions use, or None.

    `$CXX` decides where it is set, as it does in PyTorch's extension builder.
    """
    wanted = os.environ.get('CXX')
    names = shlex.split(wanted)[:1] if wanted else ['c++', 'g++', 'clang++']
    return next((path for path in map(shutil.which, names) if path), None)


def missing_for_compiling() -> str | None:
    """Return one line on what compiling MMCV's operators lacks here, or None."""
    if find_compiler() is None:
        named = os.environ.get('CXX')
        what = f'CXX={named} was' if named else 'c++, g++ or clang++ were'
        return (
            f"no C++ compiler ({what} not found), which MMCV's operators need: "
            'install one (Debian, Ubuntu: apt install g++; Fedora: '
            'dnf install gcc-c++) or name one with CXX=...'
        )
    header = Path(sysconfig.get_paths()['include'], 'Python.h')
    if not header.is_file():
        version = sysconfig.get_python_version()
        return (
            f"Python's C headers ({header.name}), which MMCV's operators need, are "
            f'missing: install them (Debian, Ubuntu: apt install python{version}-dev; '
            'Fedora: dnf install python3-devel)'
        )
    return None


def has_cuda_toolkit() -> bool:
    """Return whether PyTorch's extension builder would find a CUDA toolkit."""
    named = any(name in os.environ for name in ('CUDA_HOME', 'CUDA_PATH'))
    return named or bool(shutil.which('nvcc')) or Path('/usr/local/cuda').is_dir()


def folder_size(folder: Path) -> int:
    """Return the bytes of all files below a folder."""
    paths = (Path(base, name) for base, _, names in os.walk(folder) for name in names)
    return sum(path.lstat().st_size for path in paths)


def check_disk(root: Path, venv: Path) -> None:
    """Check that `.venv` and pip's downloads have room.

    Args:
        root: The folder that `.venv` is made in.
        venv: The environment; what it holds already isn't asked for again.

    Raises:
        SetupError: There is too little free space.
    """
    given = os.environ.get('MMSNN_SETUP_GIB', str(NEEDED_GIB))
    try:
        needed = float(given)
    except ValueError:
        raise SetupError(
            f'MMSNN_SETUP_GIB={given} is not a number: give the GiB to ask for'
        ) from None
    needed -= folder_size(venv) / GIB
    free = shutil.disk_usage(root).free / GIB
    if free < needed:
        raise SetupError(
            f'the disk is too full: {free:.1f} GiB are free in {root} and the set-up '
            f'needs {needed:.1f} GiB; free some space, then run the same command again'
        )
