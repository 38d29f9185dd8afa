"""The initialiser ``mmsnn.PretrainedResNet``, in configs of any package."""

import re
from pathlib import Path

import mmpretrain.registry
import pytest
import torch
from mmdet.registry import MODELS as MMDET_MODELS
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope
from mmengine.runner import checkpoint as mmengine_checkpoint
from torch import nn

from mmsnn.models import DANet, DirectStem, PretrainedResNet, ResNetSNN, SEWResNet
from mmsnn.utils.errors import UserError

from .helpers import assert_filled, resnet, write

DOCS = Path(__file__).resolve().parents[3] / 'docs' / 'pretrained.md'


@pytest.mark.parametrize(
    ('content', 'problem'),
    [
        (None, "checkpoint '.*weights.pth' does not exist"),
        ('hello', "'.*weights.pth' is not a checkpoint"),
        ({'epoch': 1}, 'checkpoint .*weights.pth.* holds no weights'),
        ([torch.ones(1)], 'checkpoint .*weights.pth.* holds no weights'),
        # of another network
        ({'conv1.weight': torch.ones(1)}, "checkpoint '.*': weights do not fit DAN"),
    ],
)
def test_wrong_files(content, problem, tmp_path):
    path = str(tmp_path / 'weights.pth')
    if content is not None:
        write(tmp_path, 'weights.pth', content)
    backbone = DANet(18, 'B')
    before = backbone.stem.encode.conv.weight.clone()
    with pytest.raises(UserError, match=f'^{problem}'):
        PretrainedResNet(path)(backbone)
    assert torch.equal(backbone.stem.encode.conv.weight, before)


def test_it_is_for_resnets():
    with pytest.raises(TypeError, match='a ResNetSNN .*, but got Conv2d'):
        PretrainedResNet('resnet18.pth')(nn.Conv2d(1, 1, 1))
    with pytest.raises(TypeError, match='a path or a URL, but got'):
        PretrainedResNet(None)


def test_zero_init_residual_keeps_what_is_loaded(tmp_path):
    theirs = resnet()
    path = write(tmp_path, 'resnet18.pth', theirs.state_dict())
    init_cfg = {'type': 'mmsnn.PretrainedResNet', 'checkpoint': path}
    for options in ({'init_cfg': init_cfg}, {'init_cfg': [init_cfg]}):
        ours = SEWResNet(18, zero_init_residual=True, **options)
        ours.init_weights()
        assert_filled(theirs, ours)
    ours = SEWResNet(18, zero_init_residual=True)
    ours.init_weights()
    assert not ours.stages[0][0].branch[1].norm.weight.any()


def test_it_says_what_it_did(state18, tmp_path, monkeypatch):
    path = write(tmp_path, 'resnet18.pth', state18)
    backbone = ResNetSNN(18, 'SG-BSG*', out_indices=(2,))
    lines = []
    logger = MMLogger.get_current_instance()
    monkeypatch.setattr(logger, 'log', lambda level, line, *args: lines.append(line))
    PretrainedResNet(path)(backbone)
    (line,) = lines
    assert line.startswith(f'{path}: 90 tensors into ResNetSNN18 (units CNS, last CNS)')
    assert 'left out: layer4.0.conv1.weight, layer4.0.bn1.weight, ' in line
    assert 'not in the file: stages.0.0.merge.weight, stages.0.0.merge.bias, ' in line
    assert line.endswith('stages.1.0.merge.weight and 7 more')


BASE = """
custom_imports = dict(imports=['mmsnn'])
model = dict(
    type='RetinaNet',
    backbone=dict(type='mmsnn.SGResNet', depth=18, num_steps=2, out_indices=(1, 2, 3)),
    neck=[
        dict(type='mmsnn.SpikeDecoder', decoder=dict(type='Rate'),
             in_channels=[128, 256, 512], num_steps=2),
        dict(type='FPN', in_channels=[128, 256, 512], out_channels=16, num_outs=5)],
    bbox_head=dict(
        type='RetinaHead', num_classes=3, in_channels=16, stacked_convs=1,
        feat_channels=16,
        anchor_generator=dict(
            type='AnchorGenerator', octave_base_scale=4, scales_per_octave=3,
            ratios=[0.5, 1.0, 2.0], strides=[8, 16, 32, 64, 128])))
"""


def test_in_a_detectors_config(tmp_path, monkeypatch):
    """The guide's first snippet, in a config of MMDetection's."""
    theirs = resnet()
    urls = []

    def load_url(url, **options):
        urls.append(url)
        return theirs.state_dict()

    monkeypatch.setattr(mmengine_checkpoint, 'load_url', load_url)
    (tmp_path / 'base.py').write_text(BASE)
    snippet = re.search(r'```python\n(.*?)```', DOCS.read_text(), re.DOTALL)[1]
    assert 'torchvision://resnet18' in snippet
    (tmp_path / 'mine.py').write_text(f"_base_ = './base.py'\n{snippet}")
    register_all_modules(init_default_scope=False)
    with DefaultScope.overwrite_default_scope('mmdet'):
        detector = MMDET_MODELS.build(Config.fromfile(tmp_path / 'mine.py').model)
        detector.init_weights()
    assert len(urls) == 1
    assert re.search(r'/resnet18-\w+\.pth$', urls[0])
    assert_filled(theirs, detector.backbone)


def test_in_a_classifier(state18, tmp_path):
    path = write(tmp_path, 'resnet18.pth', state18)
    cfg = {
        'type': 'mmsnn.SGResNet',
        'depth': 18,
        'init_cfg': {'type': 'mmsnn.PretrainedResNet', 'checkpoint': path},
    }
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        backbone = mmpretrain.registry.MODELS.build(cfg)
        backbone.init_weights()
    assert isinstance(backbone.stem, DirectStem)
    assert torch.equal(backbone.stem.encode.conv.weight, state18['conv1.weight'])
