"""Types are found from other scopes, and a config needs one line for it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import mmdet.registry
import mmengine.registry
import mmpretrain.registry
import pytest
import torch
from mmengine.registry import DefaultScope, Registry
from torch import nn

import mmsnn
from mmsnn.models import SEWResNet, SGResNet
from mmsnn.models.neurons import build_neuron
from mmsnn.registry import DATASETS, MODELS

USER_MODELS = Registry(
    'model', parent=mmengine.registry.MODELS, scope='a_users_package'
)
ENTRIES = ['ResNetSNN', 'SpikingResNet', 'SEWResNet', 'SGResNet', 'MSResNet', 'DANet']
ENTRIES += ['DenseNetSNN', 'SevenBNet', 'PooledResNet', 'VGGSNN', 'DirectStem']
ENTRIES += ['SpikeDecoder', 'Rate', 'ASD', 'IF', 'LIF', 'PLIF', 'ILIF', 'ReLU']
ENTRIES += ['SpikingFPN', 'SpikingPAFPN', 'SpikingRetinaHead', 'SpikingFCOSHead']
ENTRIES += ['SpikingATSSHead', 'SpikingGFLHead', 'SpikingRPNHead', 'SpikingRoIHead']
ENTRIES += ['SpikingRoIExtractor', 'SpikingShared2FCBBoxHead', 'SpikingActivation']
ENTRIES += ['GatedAttentionStem', 'RateStem', 'LatencyStem', 'PhaseStem']


@USER_MODELS.register_module()
class Sign(nn.Module):
    """A neuron without memory."""

    def __init__(self, num_steps, level=0.0):
        super().__init__()
        self.num_steps, self.level = num_steps, level

    def forward(self, x):
        return torch.sigmoid(x - self.level).round()


@USER_MODELS.register_module()
class LastStep(nn.Module):
    """A decoder that looks at the last step alone."""

    def __init__(self, channels, num_steps):
        super().__init__()

    def forward(self, spikes):
        return spikes[-1]


@pytest.mark.parametrize('name', ENTRIES)
def test_types_are_registered(name):
    assert MODELS.get(name).__module__.startswith('mmsnn.models.')
    assert mmengine.registry.MODELS.get(f'mmsnn.{name}') is MODELS.get(name)


def test_scopes():
    assert MODELS.scope == DATASETS.scope == 'mmsnn'
    assert MODELS.parent is mmengine.registry.MODELS
    assert DATASETS.parent is mmengine.registry.DATASETS
    assert mmsnn.MODELS is MODELS


@pytest.mark.parametrize('package', [mmdet, mmpretrain], ids=['mmdet', 'mmpretrain'])
def test_built_by_other_packages(package):
    cfg = {'type': 'mmsnn.SGResNet', 'depth': 10, 'base_channels': 4}
    assert isinstance(package.registry.MODELS.build(cfg), SGResNet)
    for scope in ('mmdet', 'mmpretrain', 'mmengine', 'mmsnn'):
        with DefaultScope.overwrite_default_scope(scope):
            assert isinstance(package.registry.MODELS.build(cfg), SGResNet)


@pytest.mark.parametrize('scope', ['mmdet', 'mmpretrain', 'mmengine', 'mmsnn'])
def test_parts_are_mmsnns_whatever_the_scope(scope):
    # mmpretrain or mmdet may have an 'IF' of their own one day
    with DefaultScope.overwrite_default_scope(scope):
        backbone = mmengine.registry.MODELS.build(
            {
                'type': 'mmsnn.SEWResNet',
                'depth': 10,
                'base_channels': 4,
                'neuron': {'type': 'PLIF'},
                'norm_cfg': {'type': 'BN'},
            }
        )
        neck = mmengine.registry.MODELS.build(
            {
                'type': 'mmsnn.SpikeDecoder',
                'in_channels': backbone.out_channels,
                'num_steps': 4,
                'decoder': {'type': 'ASD'},
            }
        )
    assert isinstance(backbone, SEWResNet)
    assert isinstance(backbone.stem.neuron, mmsnn.models.PLIF)
    assert isinstance(neck.decoders[0], mmsnn.models.ASD)


def test_a_users_neuron():
    neuron = build_neuron({'type': 'a_users_package.Sign', 'level': 0.5}, num_steps=3)
    assert isinstance(neuron, Sign)
    assert (neuron.num_steps, neuron.level) == (3, 0.5)
    cfg = {
        'type': 'mmsnn.SGResNet',
        'depth': 10,
        'base_channels': 4,
        'neuron': {'type': 'a_users_package.Sign'},
    }
    backbone = mmdet.registry.MODELS.build(cfg)
    assert isinstance(backbone.stem.neuron, Sign)
    (level,) = backbone(torch.randn(2, 3, 64, 64))
    assert level.unique().tolist() == [0, 1]


def test_a_users_neuron_in_mmsnns_scope():
    MODELS.register_module(name='TestSign', module=Sign)
    try:
        assert isinstance(build_neuron({'type': 'mmsnn.TestSign'}, 2), Sign)
        with pytest.raises(ValueError, match='with its scope, but got .TestSign'):
            build_neuron({'type': 'TestSign'}, 2)
    finally:
        MODELS.module_dict.pop('TestSign')


def test_a_users_decoder():
    neck = MODELS.build(
        {
            'type': 'mmsnn.SpikeDecoder',
            'in_channels': [4],
            'num_steps': 2,
            'decoder': {'type': 'a_users_package.LastStep'},
        }
    )
    spikes = torch.rand(2, 1, 4, 3, 3)
    assert torch.equal(neck([spikes])[0], spikes[1])


def test_a_typing_mistake():
    cfg = {'type': 'mmsnn.SGResnet', 'depth': 10}
    with pytest.raises(KeyError, match=re.escape('SGResnet')):
        mmdet.registry.MODELS.build(cfg)


CONFIG = """
custom_imports = dict(imports=['mmsnn'])
default_scope = {scope!r}
model = dict(
    type='mmsnn.SGResNet',
    depth=10,
    base_channels=4,
    neuron=dict(type='LIF', tau=3.0, surrogate=dict(type='Sigmoid')))
"""
PROGRAM = """
import sys
from mmengine.config import Config
from mmengine.registry import init_default_scope
from {scope}.registry import MODELS
assert 'mmsnn' not in sys.modules
cfg = Config.fromfile({path!r})
init_default_scope(cfg.default_scope)
model = MODELS.build(cfg.model)
print('built', type(model).__name__, model.stem.neuron.tau)
"""


@pytest.mark.slow  # by default, tests of the wheel do this
@pytest.mark.parametrize('scope', ['mmdet', 'mmpretrain'])
def test_custom_imports_is_all_a_config_needs(scope, tmp_path):
    path = tmp_path / 'config.py'
    path.write_text(CONFIG.format(scope=scope))
    program = PROGRAM.format(scope=scope, path=str(path))
    root = str(Path(mmsnn.__file__).parents[1])
    search = os.pathsep.join(filter(None, [root, os.environ.get('PYTHONPATH')]))
    done = subprocess.run(
        [sys.executable, '-c', program],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, 'PYTHONPATH': search},
    )
    assert done.returncode == 0, done.stderr
    assert 'built SGResNet 3.0' in done.stdout
