"""Makes MMEngine's own loaders of checkpoints safe, as importing mmsnn does.

MMEngine unpickles without restriction what safe loading refuses, and whatever it
downloads. Its loaders of local files, addresses and model names all read through two
functions of one module, which are replaced here.
"""

import importlib.machinery
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlparse

import torch

from .safe_loading import load_safely

# Set to 0, it lets MMEngine's loaders unpickle; what mmsnn itself reads stays safe.
SWITCH = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD'
_MODULE = 'mmengine.runner.checkpoint'
_always_safe = ContextVar('_always_safe', default=False)


def close_fallback() -> None:
    """Make MMEngine load checkpoints safely, unless :data:`SWITCH` is set to 0.

    Importing MMEngine's runner takes a second, so that nothing is imported here: the
    functions are replaced when their module is imported, or at once if it already is.
    """
    module = sys.modules.get(_MODULE)
    if module is not None:
        _replace_readers(module)
    elif not any(isinstance(finder, _AfterImport) for finder in sys.meta_path):
        sys.meta_path.insert(0, _AfterImport())


@contextmanager
def always_safe() -> Iterator[None]:
    """Within this context MMEngine's loaders are safe whatever :data:`SWITCH` is."""
    close_fallback()
    token = _always_safe.set(True)
    try:
        yield
    finally:
        _always_safe.reset(token)


def _may_unpickle() -> bool:
    allowed = os.environ.get(SWITCH, '').lower() in ('0', 'n', 'no', 'false')
    return allowed and not _always_safe.get()


class _AfterImport(MetaPathFinder):
    """Replaces the functions after the import of their module."""

    def find_spec(
        self, fullname: str, path: Any, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != _MODULE:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_replace(module: ModuleType) -> None:
                execute(module)
                _replace_readers(module)

            spec.loader.exec_module = execute_and_replace  # type: ignore[method-assign]
        return spec


def _replace_readers(module: Any) -> None:
    """Replace what ``mmengine.runner.checkpoint`` reads files and downloads with."""
    if hasattr(module, '_mmsnn_replaced'):
        return
    module._mmsnn_replaced = True
    # older versions call torch.load themselves, which is safe by default
    unsafe_read = getattr(module, '_safe_torch_load', torch.load)
    unsafe_download = module.load_url

    def read(file: Any, map_location: Any = None) -> Any:
        if _may_unpickle():
            return unsafe_read(file, map_location)
        return load_safely(file, map_location)

    def download(
        url: str,
        model_dir: str | None = None,
        map_location: Any = None,
        progress: bool = True,
    ) -> Any:
        if _may_unpickle():
            return unsafe_download(url, model_dir, map_location, progress)
        folder = Path(model_dir or Path(torch.hub.get_dir(), 'checkpoints'))
        file = folder / Path(urlparse(url).path).name
        if not file.exists():
            folder.mkdir(parents=True, exist_ok=True)
            print(f'Downloading: "{url}" to {file}', file=sys.stderr)
            torch.hub.download_url_to_file(url, str(file), progress=progress)
        return load_safely(file, map_location)

    module._safe_torch_load = read
    module.load_url = download
