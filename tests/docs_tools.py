"""The tools that write tables of the guides, as modules."""

import importlib.util
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

FOLDER = Path(__file__).resolve().parents[1] / 'tools' / 'docs_tools'


@cache
def load_tool(name: str) -> ModuleType:
    """Return a module of ``tools/docs_tools``."""
    path = FOLDER / f'{name}.py'
    spec = importlib.util.spec_from_file_location(f'docs_tools_{name}', path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module
