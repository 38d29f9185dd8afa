"""Narrow versions of configs, and what an analysis tool reports of them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mmengine.config import Config
from test_configs.narrow import narrow


def write_narrow(folder: Path, path: Path, **backbone: object) -> Path:
    """Write a narrow version of a config, which keeps its name."""
    cfg = Config.fromfile(path)
    narrow(cfg)
    cfg.model.backbone.update(backbone)
    cfg.dump(folder / path.name)
    return folder / path.name


def measure(
    call_tool: Callable[..., None], tool: str, folder: Path, *args: object
) -> dict[str, Any]:
    """Run an analysis tool; return its report, saved in ``folder / 'out'``."""
    call_tool(tool, *args, '--out-dir', folder / 'out')
    return json.loads((folder / 'out' / 'report.json').read_text(encoding='utf-8'))
