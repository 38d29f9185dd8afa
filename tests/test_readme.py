"""The README's targets and options exist, and its config snippet is a detector."""

import re
from pathlib import Path
from types import ModuleType

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules
from mmengine.config import Config

from mmsnn.cli import test, train
from mmsnn.cli.common.parser import Parser, set_up

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / 'README.md').read_text(encoding='utf-8')


@pytest.mark.parametrize(
    'target', sorted(set(re.findall(r'(?:^|`)make ([a-z-]+)', README, re.MULTILINE)))
)
def test_make_targets_exist(target: str) -> None:
    makefile = (ROOT / 'Makefile').read_text(encoding='utf-8')
    assert re.search(rf'^{target}:', makefile, re.MULTILINE)


def test_snippet_is_a_detector(tmp_path: Path) -> None:
    snippet = re.search(r'```python\n(.*?)```', README, re.DOTALL)
    assert snippet is not None
    base = ROOT / 'configs' / '_base_' / 'models' / 'retinanet_r18_fpn.py'
    path = tmp_path / 'mine.py'
    path.write_text(f'_base_ = {str(base)!r}\n{snippet[1]}', encoding='utf-8')
    register_all_modules()
    model = MODELS.build(Config.fromfile(path).model).eval()
    with torch.no_grad():
        features = model.extract_feat(torch.zeros(1, 3, 64, 64))
    assert [tuple(f.shape) for f in features] == [
        (1, 256, size, size) for size in (8, 4, 2, 1, 1)
    ]


def test_snippet_of_pretrained_weights_is_a_backbone() -> None:
    snippet = re.findall(r'```python\n(.*?)```', README, re.DOTALL)[1]
    names: dict[str, dict] = {}
    exec(snippet, names)
    register_all_modules()
    with torch.device('meta'):
        backbone = MODELS.build(names['model']['backbone'])
    assert backbone.init_cfg['type'] == 'mmsnn.PretrainedResNet'
    assert backbone.depth == 50


@pytest.mark.parametrize('command', [train, test], ids=lambda module: module.__name__)
def test_options_exist(command: ModuleType) -> None:
    sentence = re.search(r"take MMDetection's options \((.*?)\)", README, re.DOTALL)
    assert sentence is not None
    of_train, of_test = sentence[1].split(';')
    known = set_up(Parser(), command).format_help()
    for option in re.findall(r'--[\w-]+', of_train if command is train else of_test):
        assert option in known, option
