"""Imports of the frameworks without what they print."""

import contextlib
import importlib
import io
from typing import Any

_NOISE = 'Could not import OneDL'


def import_frameworks() -> None:
    """Import MMDetection's and MMPretrain's data sets.

    Their messages about packages of data sets that mmsnn does not use, which MMEngine
    prints although they are of level DEBUG, are dropped; other output is kept.
    """
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for name in ('mmdet.datasets', 'mmpretrain.datasets'):
            # a missing package is reported where it is needed
            with contextlib.suppress(ModuleNotFoundError):
                importlib.import_module(name)
    for line in printed.getvalue().splitlines():
        if not line.startswith(_NOISE):
            print(line)


def silence_pycocotools() -> None:
    """Drop what pycocotools prints while it reads annotations and evaluates."""
    for name in ('pycocotools.coco', 'pycocotools.cocoeval'):
        module: Any = importlib.import_module(name)
        module.print = _ignore  # in place of the built-in function, in that module


def _ignore(*_: object) -> None:
    """Print nothing."""
