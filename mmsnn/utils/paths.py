"""Local and remote paths."""

from pathlib import Path


def is_remote(path: str) -> bool:
    """Return whether ``path`` is for a file backend, such as ``https://...``."""
    return '://' in path or path.startswith('s3:')


def join_path(root: str, path: str) -> str:
    """Return ``path`` in the folder ``root``, as MMEngine's data sets join them."""
    return path if is_remote(path) or not root else str(Path(root) / path)


def what_is_wrong(path: str) -> str:
    """Return why ``path`` cannot be used, and where a relative path was looked up."""
    if Path(path).exists():
        return 'is not a file'
    looked = '' if Path(path).is_absolute() else f' (looked in {Path.cwd()})'
    return f'does not exist{looked}'
