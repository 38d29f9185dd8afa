"""Narrow versions of configs, weights, and what tools report of them."""

import json
from ast import literal_eval
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
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


def save_weights(
    config: Path, path: Path, options: Sequence[str] = (), drop: str = '-'
) -> None:
    """Save random weights of a config's model, without those that ``drop`` begins."""
    cfg = Config.fromfile(config)
    for option in options:
        key, value = option.split('=')
        cfg.merge_from_dict({key: literal_eval(value)})
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        state = MODELS.build(cfg.model).state_dict()
    kept = {name: state[name] for name in state if not name.startswith(drop)}
    torch.save({'state_dict': kept}, path)


def columns_of(work_dir: Path) -> dict[str, float | None]:
    """Return the columns of COCO's metrics that ``tools/test.py`` saved."""
    content = json.loads((work_dir / 'coco_columns.json').read_text())
    return content['tables']['coco']['columns']
