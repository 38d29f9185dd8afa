"""A detector compiled ahead of time detects what PyTorch's does."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from PIL import Image
from test_deploy.detectors import single_stage
from torch import nn

from mmsnn.cli.main import main
from mmsnn.deploy.export.archive import compile_program
from mmsnn.utils.errors import UserError


def arguments(tmp_path: Path) -> list[str]:
    """Save a detector of one level and pictures; return the command for them."""
    torch.manual_seed(0)
    cfg = single_stage('RetinaNet')
    decoder, fpn = cfg.model.neck
    cfg.model.backbone.update(num_steps=1, out_indices=(3,))
    decoder.update(in_channels=[128], num_steps=1)
    fpn.update(in_channels=[128], num_outs=1)
    cfg.model.bbox_head.anchor_generator.strides = [32]
    cfg.model.test_cfg.score_thr = 0.005
    cfg.dump(tmp_path / 'config.py')
    model = MODELS.build(cfg.model)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):  # neurons fire, and boxes differ
            nn.init.uniform_(module.bias, 0.0, 2.0)
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'net.pth')
    for number, size in enumerate([(128, 96), (64, 160)]):
        pixels = np.random.default_rng(number).integers(0, 256, (*size, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f'{number}.png')
    words = ['mmsnn', 'export', 'torch', tmp_path / 'config.py', tmp_path / 'net.pth']
    words += ['--images', tmp_path, '--out', tmp_path / 'net.pt2', '--compile']
    return [*map(str, words)]


@pytest.mark.slow
def test_compiled_detector(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, 'argv', arguments(tmp_path))
    main()
    printed = capsys.readouterr().out
    (line,) = (x for x in printed.splitlines() if x.startswith('Greatest difference'))
    assert float(line.split()[-1]) < 1e-3
    network = torch._inductor.aoti_load_package(str(tmp_path / 'net.pt2'))
    images = torch.randn(3, 3, 64, 96)
    boxes, scores, labels = network(images, torch.tensor([60.0, 90.0]), torch.ones(2))
    assert boxes.shape[::2] == (3, 4)
    assert ((scores > 0) == (labels >= 0)).all() and (scores > 0).any()


def test_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('CXX', '/none/c++')
    program = torch.export.export(nn.ReLU(), (torch.rand(2),))
    with pytest.raises(UserError, match='C\\+\\+ compiler.*/none/c'):
        compile_program(program)
