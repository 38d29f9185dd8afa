"""Suppression of messages that modules of the frameworks print."""

import contextlib
import io
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_NOISY = ('mmdet.datasets', 'mmpretrain.datasets')
_NOISE = 'Could not import OneDL'
_SILENT = ('pycocotools.coco', 'pycocotools.cocoeval')


def quiet_imports() -> None:
    """Suppress messages of modules that are imported later.

    When MMDetection's and MMPretrain's data sets are imported, they report missing
    packages that mmsnn does not use, which MMEngine prints although the messages have
    level DEBUG; their other output is kept. pycocotools prints while it reads
    annotations and evaluates. No module is imported here, and further calls have no
    effect.
    """
    for name in sys.modules.keys() & {*_SILENT}:
        _silence(sys.modules[name])
    if not any(isinstance(finder, _QuietFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _QuietFinder())


class _QuietFinder(MetaPathFinder):
    """Finds modules with the other finders, and suppresses their messages."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if fullname not in (*_NOISY, *_SILENT):
            return None
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(fullname, path, target)
            if spec is not None and spec.loader is not None:
                loader: Any = spec.loader
                loader.exec_module = partial(_run_quietly, loader.exec_module)
                return spec
        return None


def _run_quietly(run: Callable[[ModuleType], None], module: ModuleType) -> None:
    """Execute a module on import; print its output without the noise."""
    if module.__name__ in _SILENT:
        _silence(module)
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            run(module)
    finally:
        for line in printed.getvalue().splitlines():
            if not line.startswith(_NOISE):
                print(line)


def _silence(module: Any) -> None:
    module.print = _ignore  # in place of the built-in function, in that module


def _ignore(*_: object) -> None:
    """Print nothing."""
