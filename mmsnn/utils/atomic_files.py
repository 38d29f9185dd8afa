"""Atomic writes: a file is complete or absent, even if the process is killed."""

import os
from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

ATOMIC = 'mmsnn.atomic'
"""The name of :class:`AtomicBackend` in ``backend_args``."""

_TEMPORARY = '.{}.tmp'


def write_atomically(path: str | Path, content: bytes) -> None:
    """Replace or create the file at ``path`` atomically.

    The content is written to a hidden file in the same folder and synced to the disk
    before that file is renamed. If the process is killed meanwhile, the old file is
    unchanged, and the hidden file may remain.

    Raises:
        OSError: If the file cannot be written; the old file is then unchanged.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(_TEMPORARY.format(path.name))
    try:
        with temporary.open('wb') as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def remove_temporaries(folder: str | Path, pattern: str) -> None:
    """Remove temporary files that killed processes left for files like ``pattern``."""
    for temporary in Path(folder).glob(_TEMPORARY.format(pattern)):
        temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Sync ``folder`` to the disk, so that a new name survives a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        # Some network file systems do not sync folders; the file itself is written.
        pass
    finally:
        os.close(descriptor)


class AtomicBackend(LocalBackend):
    """MMEngine's backend of local files, with atomic writes."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write ``obj`` to ``filepath``; see :func:`write_atomically`."""
        write_atomically(filepath, obj)


register_backend(ATOMIC, AtomicBackend, force=True)
