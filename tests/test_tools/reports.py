"""Narrow versions of configs, and what an analysis tool reports of them."""

import json
from pathlib import Path
from typing import Any

from mmengine.config import Config
from test_configs.narrow import narrow

from .tiny_coco import Call, Printed


def write_narrow(folder: Path, path: Path, **backbone: object) -> Path:
    """Write a narrow version of a config, which keeps its name."""
    cfg = Config.fromfile(path)
    narrow(cfg)
    cfg.model.backbone.update(backbone)
    cfg.dump(folder / path.name)
    return folder / path.name


def measure(call_tool: Call, *args: object) -> tuple[dict[str, Any], Printed]:
    """Run an analysis tool; return its report, saved in ``out``, and what it prints."""
    printed = call_tool(*args, '--out-dir', 'out')
    assert Path('out/report.html').is_file()
    return json.loads(Path('out/report.json').read_text(encoding='utf-8')), printed
