"""The project's configs, each of which is parsed once for all tests."""

import functools
from copy import deepcopy
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from torch import nn

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'


# A config has about nine base files; MMEngine copies each to a folder to read it.
_read = functools.cache(Config._file2dict)


def _read_once(*args: Any, **options: Any) -> Any:
    return deepcopy(_read(*args, **options))


@functools.cache
def shared(path: Path) -> Config:
    """Return a config that no test may change."""
    with patch.object(Config, '_file2dict', _read_once):
        return Config.fromfile(path)


def load(path: Path) -> Config:
    """Return a config of a test's own."""
    return deepcopy(shared(path))


def setting(cfg: Any, key: str) -> Any:
    """Return a config's setting, None if there is none."""
    for part in key.split('.'):
        cfg = cfg[int(part)] if part.isdigit() else cfg.get(part)
    return cfg


def build(cfg: Config, device: str = 'cpu') -> nn.Module:
    """Build a config's model; on ``meta`` without memory for its weights."""
    with torch.device(device), DefaultScope.overwrite_default_scope(cfg.default_scope):
        return MODELS.build(deepcopy(cfg.model))
