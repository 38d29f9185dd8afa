"""The project's configs, each of which is parsed once for all tests."""

import functools
from copy import deepcopy
from pathlib import Path
from typing import Any
from unittest.mock import patch

from mmengine.config import Config

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'


# A config has about nine base files, which MMEngine copies to a folder each to read them.
_read = functools.cache(Config._file2dict)


def _read_once(*args: Any, **options: Any) -> Any:
    return deepcopy(_read(*args, **options))


@functools.cache
def shared(path: Path) -> Config:
    """Return a config that no test may change."""
    with patch.object(Config, '_file2dict', _read_once):
        cfg = Config.fromfile(path)
    # A Runner prints its config thrice; to format it takes a tenth of a second, and
    # fromfile drops the option not to.
    return Config(cfg.to_dict(), filename=str(path), format_python_code=False)


def load(path: Path) -> Config:
    """Return a config of a test's own."""
    return deepcopy(shared(path))
