"""Checking and locking of the folder of a training."""

import errno
import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import UserError

LOCK = 'train.lock'
RANKS = {
    'pytorch': 'RANK',
    'slurm': 'SLURM_PROCID',
    'mpi': 'OMPI_COMM_WORLD_RANK',
}
"""What a launcher sets to the number of a process."""


@contextmanager
def claim_work_dir(path: str, launcher: str = 'none') -> Iterator[None]:
    """Create the folder ``path`` and keep other trainings out of it.

    The lock is released when the process ends, even if it is killed. Only the first
    process of a distributed run takes it.

    Args:
        path: The work dir.
        launcher: What started the processes: 'none', 'pytorch', 'slurm' or 'mpi'.

    Raises:
        UserError: If the folder cannot be written, or another training uses it.
    """
    if int(os.environ.get(RANKS.get(launcher, ''), 0)):
        yield
        return
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
        lock = os.open(Path(path, LOCK), os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        _lock(lock, path)
        yield
    finally:
        os.close(lock)


def _lock(lock: int, path: str) -> None:
    owner = f'process {os.getpid()} on {socket.gethostname()}'
    try:
        # lockf, not flock: the data loader's workers must not inherit the lock.
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EAGAIN):
            return  # a file system without locks
        other = os.read(lock, 1000).decode(errors='replace').strip()
        raise UserError(
            f'another training runs in work dir {path!r} ({other}): wait for it, or '
            'choose another --work-dir'
        ) from error
    try:
        os.truncate(lock, 0)
        os.write(lock, owner.encode())
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: str, error: OSError) -> UserError:
    return UserError(f'work dir {path!r} cannot be written ({error.strerror})')
