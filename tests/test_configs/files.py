"""The project's configs, each of which is parsed once for all tests."""

import functools
from copy import deepcopy
from pathlib import Path

from mmengine.config import Config

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'


@functools.cache
def shared(path: Path) -> Config:
    """Return a config that no test may change."""
    cfg = Config.fromfile(path)
    # A Runner prints its config thrice; to format it takes a tenth of a second, and
    # fromfile drops the option not to.
    return Config(cfg.to_dict(), filename=str(path), format_python_code=False)


def load(path: Path) -> Config:
    """Return a config of a test's own."""
    return deepcopy(shared(path))
