"""Checks, before a command starts its work, that the results can be written."""

import errno
import tempfile
from pathlib import Path

from .errors import UserError

_PROBE_BYTES = 1 << 16


def check_folder(path: str | Path, name: str) -> None:
    """Check that files can be written in a folder, which need not exist yet.

    A temporary file is written to the folder, or to its nearest parent that exists, and
    removed again.

    Args:
        path: The folder.
        name: The option or setting that names it, for the message.

    Raises:
        UserError: If it is a file, cannot be created, or cannot be written to.
    """
    _check_writable(Path(path), path, name)


def check_file(path: str | Path, name: str) -> None:
    """Check that a file can be written, which may exist already.

    Raises:
        UserError: If it is a folder, or if it or its folder cannot be written to.
    """
    if Path(path).is_dir():
        raise UserError(f'{name} {str(path)!r}: it is a folder')
    _check_writable(Path(path).parent, path, name)
    if Path(path).exists():
        try:
            Path(path).open('ab').close()
        except OSError as error:
            raise UserError(
                f'{name} {str(path)!r}: it cannot be written: {error.strerror}'
            ) from error


def _check_writable(folder: Path, path: str | Path, name: str) -> None:
    folder = folder.absolute()
    try:
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        if not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, f'{str(folder)!r} is not a folder')
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(_PROBE_BYTES))
            file.flush()
    except OSError as error:
        raise UserError(
            f'{name} {str(path)!r}: nothing can be written there: {error.strerror}'
        ) from error
