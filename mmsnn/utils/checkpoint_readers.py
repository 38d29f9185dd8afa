"""Make MMEngine load checkpoints without running code from them.

The changes are made when mmsnn is imported. By default, MMEngine falls back to
unrestricted unpickling if safe loading refuses a file, and always uses it for
downloads. Its loaders of local files, URLs and model names all read through two
functions of one module, which are replaced here. MMEngine's inferencers also run
configs that are stored in checkpoints, which is disabled here.
"""

import importlib.machinery
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlparse

# If 0, MMEngine may run code from checkpoints; mmsnn's own loading remains safe.
SWITCH = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD'
_always_safe = ContextVar('_always_safe', default=False)


def close_fallback() -> None:
    """Make MMEngine load checkpoints safely, unless :data:`SWITCH` is set to 0.

    The functions are replaced right after their modules are imported, or at once if
    they already are: importing MMEngine's runner here would take a second.
    """
    for name, change in _CHANGES.items():
        module = sys.modules.get(name)
        if module is not None and not hasattr(module, '_changed_by_mmsnn'):
            change(module)
    if not any(isinstance(finder, _AfterImport) for finder in sys.meta_path):
        sys.meta_path.insert(0, _AfterImport())


@contextmanager
def always_safe() -> Iterator[None]:
    """Make MMEngine's loaders safe in this context, whatever :data:`SWITCH` is."""
    close_fallback()
    token = _always_safe.set(True)
    try:
        yield
    finally:
        _always_safe.reset(token)


def _may_run_code() -> bool:
    allowed = os.environ.get(SWITCH, '').lower() in ('0', 'n', 'no', 'false')
    return allowed and not _always_safe.get()


class _AfterImport(MetaPathFinder):
    """Changes modules of MMEngine right after their import."""

    def find_spec(
        self, fullname: str, path: Any, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        change = _CHANGES.get(fullname)
        if change is None:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_change(module: ModuleType) -> None:
                execute(module)
                change(module)

            spec.loader.exec_module = execute_and_change  # type: ignore[method-assign]
        return spec


def _replace_readers(module: Any) -> None:
    """Replace the functions of ``mmengine.runner.checkpoint`` that read files."""
    import torch

    from .safe_loading import load_safely

    module._changed_by_mmsnn = True
    # older versions call torch.load, which is safe by default
    unsafe_read = getattr(module, '_safe_torch_load', torch.load)
    unsafe_download = module.load_url

    def read(file: Any, map_location: Any = None) -> Any:
        if _may_run_code():
            return unsafe_read(file, map_location)
        return _without_program(load_safely(file, map_location))

    def download(
        url: str,
        model_dir: str | None = None,
        map_location: Any = None,
        progress: bool = True,
    ) -> Any:
        if _may_run_code():
            return unsafe_download(url, model_dir, map_location, progress)
        folder = Path(model_dir or Path(torch.hub.get_dir(), 'checkpoints'))
        file = folder / Path(urlparse(url).path).name
        if not file.exists():
            folder.mkdir(parents=True, exist_ok=True)
            print(f'Downloading: "{url}" to {file}', file=sys.stderr)
            torch.hub.download_url_to_file(url, str(file), progress=progress)
        return _without_program(load_safely(file, map_location))

    module._safe_torch_load = read
    module.load_url = download


def _without_program(checkpoint: Any) -> Any:
    """Remove the config in MMCV's old checkpoints, which is executed on resuming."""
    meta = checkpoint.get('meta') if isinstance(checkpoint, dict) else None
    if isinstance(meta, dict):
        meta.pop('config', None)
    return checkpoint


def _refuse_programs(module: Any) -> None:
    """Make inferencers refuse to run a config that is stored in a checkpoint."""
    module._changed_by_mmsnn = True
    inferencer = module.BaseInferencer
    init_model = inferencer._init_model

    def _init_model(
        self: Any, cfg: Any, weights: str | None, device: str = 'cpu'
    ) -> Any:
        if not cfg and not _may_run_code():
            raise ValueError(
                f'checkpoint {weights!r} is given without a config: the one that it '
                f'holds is a program, which is run only if {SWITCH} is set to 0'
            )
        return init_model(self, cfg, weights, device)

    inferencer._init_model = _init_model


_CHANGES: dict[str, Callable[[Any], None]] = {
    'mmengine.runner.checkpoint': _replace_readers,
    'mmengine.infer.infer': _refuse_programs,
}
