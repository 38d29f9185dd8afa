"""tools/model_converters/resnet.py: a checkpoint for a config's model."""

import hashlib
import os
import re
import shlex
from pathlib import Path

import pytest
import torch
import torchvision
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import load_checkpoint

import mmsnn

from .tiny_coco import ROOT, SPIKING, Call, Fail

TOOL = 'resnet'
DOCS = (ROOT / 'docs' / 'pretrained.md').read_text(encoding='utf-8')
CLASSIFIER = """
custom_imports = dict(imports=['mmsnn'])
default_scope = 'mmpretrain'
model = dict(
    type='ImageClassifier',
    backbone=dict(type='mmsnn.SEWResNet', depth=18, num_steps=2),
    neck=[
        dict(type='mmsnn.SpikeDecoder', decoder=dict(type='Rate'), in_channels=[512],
             num_steps=2),
        dict(type='GlobalAveragePooling')],
    head=dict(type={head!r}, num_classes={classes}, in_channels=512{options}))
"""


@pytest.fixture(scope='module')
def resnet18(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp('source') / 'resnet18.pth'
    torch.save(torchvision.models.resnet18().state_dict(), path)
    return path


def test_the_guides_commands(
    call_tool: Call, resnet18: Path, folder: Path, tmp_path: Path
) -> None:
    command = re.search(r'^python tools/(.*)$', DOCS, re.MULTILINE)
    assert command is not None
    tool, config, source, out = shlex.split(command[1])
    (tmp_path / source).symlink_to(resnet18)
    printed = call_tool(tool, ROOT / config, source, out).out
    assert printed.endswith(
        f'Saved 120 tensors to {out}\nLeft out: fc.weight, fc.bias\n'
    )

    snippet = re.findall(r'```python\n(.*?)```', DOCS, re.DOTALL)[1]
    assert f"checkpoint='{out}'" in snippet
    mine = tmp_path / 'mine.py'
    mine.write_text(f'_base_ = {str(ROOT / config)!r}\n{snippet}', encoding='utf-8')
    cfg = Config.fromfile(mine)
    cfg.model.backbone.init_cfg.checkpoint = str(tmp_path / out)
    register_all_modules(init_default_scope=False)
    with DefaultScope.overwrite_default_scope('mmdet'):
        detector = MODELS.build(cfg.model)
        detector.init_weights()
    state = torch.load(resnet18, weights_only=True)
    for ours, theirs in {
        'stem.encode.conv.weight': 'conv1.weight',
        'stages.1.0.projection.norm.running_var': 'layer2.0.downsample.1.running_var',
        'stages.3.1.branch.1.conv.weight': 'layer4.1.conv2.weight',
    }.items():
        assert torch.equal(detector.backbone.state_dict()[ours], state[theirs])


def test_what_the_file_holds(call_tool: Call, resnet18: Path, tmp_path: Path) -> None:
    out = tmp_path / 'a' / 'b' / 'out.pth'
    call_tool(TOOL, SPIKING, resnet18, out)
    assert list(out.parent.iterdir()) == [out]
    content = torch.load(out, weights_only=True)
    assert content['meta'] == {
        'source': 'resnet18.pth',
        'source_sha256': hashlib.sha256(resnet18.read_bytes()).hexdigest(),
        'mmsnn_version': mmsnn.__version__,
    }
    assert len(content['state_dict']) == 120
    assert all(name.startswith('backbone.') for name in content['state_dict'])
    # load_from, too
    with DefaultScope.overwrite_default_scope('mmdet'):
        detector = MODELS.build(Config.fromfile(SPIKING).model)
    load_checkpoint(detector, str(out), map_location='cpu')
    weight = detector.backbone.stem.encode.conv.weight
    source = torch.load(resnet18, weights_only=True)
    assert torch.equal(weight, source['conv1.weight'])

    # a classifier's head, too, if the file has one
    config = tmp_path / 'classifier.py'
    config.write_text(CLASSIFIER.format(classes=1000, head='LinearClsHead', options=''))
    for left_out in ((), ('fc.weight', 'fc.bias')):
        for name in left_out:
            del source[name]
        torch.save(source, tmp_path / 'source.pth')
        printed = call_tool(TOOL, config, tmp_path / 'source.pth', f'{out}{left_out}')
        number = 122 - len(left_out)
        assert printed.out == f'Saved {number} tensors to {out}{left_out}\n'
        state = torch.load(f'{out}{left_out}', weights_only=True)['state_dict']
        assert len(state) == number
        for name in ('fc.weight', 'fc.bias'):
            assert (f'head.{name}' in state) == (name in source)
            if name in source:
                assert torch.equal(state[f'head.{name}'], source[name])


DANET = f"""
_base_ = {str(SPIKING)!r}
model = dict(backbone=dict(_delete_=True, type='mmsnn.DANet', depth=18, variant='B',
                           num_steps=4, out_indices=(1, 2, 3)))
"""
TEN = CLASSIFIER.format(classes=10, head='LinearClsHead', options='')
STACKED = CLASSIFIER.format(
    classes=1000, head='StackedLinearClsHead', options=', mid_channels=[8]'
)


@pytest.mark.parametrize(
    ('config', 'parts'),
    [
        (TEN, ['LinearClsHead: other shapes: fc.weight ([1000, 512], but fc.weight '
               'is [10, 512]), fc.bias ([1000], but fc.bias is [10])',
               '--drop-classifier']),
        (STACKED, ['StackedLinearClsHead: no place for fc.weight, fc.bias; ',
                   '--drop-classifier']),
        (DANET, ['DANet18 (units NSC, last NSC): no place for layer1.0.bn1.weight, ']),
    ],
    ids=['other classes', 'another head', 'another backbone'],
)  # fmt: skip
def test_weights_that_do_not_fit(
    config: str,
    parts: list[str],
    call_tool: Call,
    fail_tool: Fail,
    resnet18: Path,
    tmp_path: Path,
) -> None:
    path, out = tmp_path / 'config.py', tmp_path / 'out.pth'
    path.write_text(config)
    line = fail_tool(TOOL, path, resnet18, out)
    assert line.startswith(f"checkpoint '{resnet18}': weights do not fit {parts[0]}")
    assert all(part in line for part in parts)
    assert not out.exists()
    if '--drop-classifier' in parts:
        call_tool(TOOL, path, resnet18, out, '--drop-classifier')
        assert len(torch.load(out, weights_only=True)['state_dict']) == 120


def test_an_existing_file_stays(
    fail_tool: Fail, resnet18: Path, tmp_path: Path
) -> None:
    out = tmp_path / 'out.pth'
    out.write_text('mine')
    assert fail_tool(TOOL, SPIKING, resnet18, out) == f"'{out}' already exists"
    assert out.read_text() == 'mine'


def test_an_interrupted_write_leaves_nothing(
    call_tool: Call, resnet18: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, 'fsync', interrupted)
    with pytest.raises(SystemExit, match='130'):
        call_tool(TOOL, SPIKING, resnet18, tmp_path / 'new' / 'out.pth')
    assert list((tmp_path / 'new').iterdir()) == []
