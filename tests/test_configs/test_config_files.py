"""Every config: it builds, learns everywhere, and is what its name says."""

import ast
import re
from pathlib import Path

import pytest
import torch
from mmdet.testing import demo_mm_inputs
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from torch import nn

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
LEAVES = sorted(path for path in CONFIGS.glob('*/*.py') if path.parent.name != '_base_')
BASES = sorted((CONFIGS / '_base_').rglob('*.py'))
NAME = re.compile(
    r'(?P<algorithm>[a-z0-9-]+)'
    r'(_(?P<backbone>[a-z0-9.-]+))?'
    r'(_(?P<neck>[a-z]+))?'
    r'_(?P<gpus>\d+)xb(?P<batch>\d+)(?P<amp>-amp)?-(?P<epochs>\d+)e'
    r'_(?P<dataset>[a-z0-9.-]+)'
)


def name_of(path: Path) -> str:
    return path.stem


def load(path: Path) -> Config:
    return Config.fromfile(path)


def build(cfg: Config) -> nn.Module:
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        return MODELS.build(cfg.model)


def parents(path: Path) -> list[Path]:
    """Return the files that a config names in ``_base_``."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == '_base_':
            value = ast.literal_eval(node.value)
            names = [value] if isinstance(value, str) else value
            return [(path.parent / name).resolve() for name in names]
    return []


def depth(path: Path) -> int:
    return max((1 + depth(parent) for parent in parents(path)), default=0)


def test_there_are_configs() -> None:
    assert len(LEAVES) >= 7
    assert len(BASES) >= 5


@pytest.mark.parametrize('path', LEAVES, ids=name_of)
def test_inheritance_is_at_most_two_deep(path: Path) -> None:
    assert 1 <= depth(path) <= 2
    assert any(parent in BASES or parent in LEAVES for parent in parents(path))


@pytest.mark.parametrize('path', BASES, ids=name_of)
def test_base_files_inherit_nothing(path: Path) -> None:
    assert depth(path) == 0


@pytest.mark.parametrize('path', LEAVES, ids=name_of)
def test_name_follows_the_convention_and_is_true(path: Path) -> None:
    name = NAME.fullmatch(path.stem)
    assert name is not None
    assert name['algorithm'] == path.parent.name.replace('_', '-')
    cfg = load(path)
    assert cfg.train_dataloader.batch_size == int(name['batch'])
    total = int(name['gpus']) * int(name['batch'])
    assert cfg.auto_scale_lr.base_batch_size == total
    assert cfg.train_cfg.max_epochs == int(name['epochs'])
    assert (cfg.optim_wrapper.type == 'AmpOptimWrapper') == bool(name['amp'])
    assert name['dataset'].split('-')[0] in cfg.train_dataloader.dataset.data_root


@pytest.mark.parametrize('path', LEAVES, ids=name_of)
def test_builds(path: Path) -> None:
    model = build(load(path))
    assert all(parameter.requires_grad for parameter in model.parameters())


def wake_up(model: nn.Module) -> None:
    """Open what MMDetection's initialisation shuts.

    A norm whose weight starts at 0 silences its branch until the first step.
    """
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            nn.init.ones_(module.weight)


@pytest.mark.parametrize('path', LEAVES, ids=name_of)
def test_every_parameter_gets_a_gradient(path: Path) -> None:
    cfg = load(path)
    torch.manual_seed(0)
    model = build(cfg)
    model.init_weights()
    wake_up(model)
    model.train()
    classes = model.bbox_head if hasattr(model, 'bbox_head') else model.roi_head
    number = getattr(classes, 'num_classes', None) or classes.bbox_head.num_classes
    batch = demo_mm_inputs(
        2, [[3, 96, 96], [3, 64, 96]], num_items=[2, 1], num_classes=number
    )
    losses = model(**model.data_preprocessor(batch, training=True), mode='loss')
    model.parse_losses(losses)[0].backward()
    silent = [
        name
        for name, parameter in model.named_parameters()
        if parameter.grad is None or not parameter.grad.any()
    ]
    assert silent == []
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())
