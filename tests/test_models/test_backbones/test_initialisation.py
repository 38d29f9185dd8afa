"""How weights start: by default, by a config, and as the identity."""

import math

import pytest
import torch
from torch import nn

from mmsnn.models import SGResNet

from ..helpers import FAMILY_ENTRIES, SMALL, make_backbone


def test_default_is_kaiming():
    for module in make_backbone(base_channels=32).modules():
        if isinstance(module, nn.Conv2d):
            fan_out = module.out_channels * math.prod(module.kernel_size)
            expected = math.sqrt(2 / fan_out)
            assert module.weight.std().item() == pytest.approx(expected, rel=0.1)
        elif isinstance(module, nn.BatchNorm2d):
            assert (module.weight == 1).all() and (module.bias == 0).all()


def test_an_empty_config_keeps_pytorchs():
    backbone = SGResNet(10, base_channels=8, init_cfg=[])
    built = parameters_of(backbone)
    backbone.init_weights()
    assert torch.equal(parameters_of(backbone), built)


@pytest.mark.parametrize('family', ['tdBN', 'MS', 'PA-B'])
def test_a_users_config_rules_threshold_dependent_norms(family):
    init_cfg = [
        {'type': 'Constant', 'layer': 'Conv2d', 'val': 3},
        {'type': 'Constant', 'layer': '_BatchNorm', 'val': 2, 'bias': 0.25},
    ]
    neuron = {'type': 'IF', 'v_threshold': 0.5}
    backbone = make_backbone(family, neuron=neuron, init_cfg=init_cfg)
    for module in backbone.modules():
        if isinstance(module, nn.Conv2d):
            assert (module.weight == 3).all()
        elif isinstance(module, nn.BatchNorm2d):
            assert (module.weight == 2).all() and (module.bias == 0.25).all()


def test_it_is_seeded_and_runs_once():
    states = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        backbone = make_backbone(zero_init_residual=True)
        states.append(parameters_of(backbone))
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])
    # MMEngine warns, and a detector's second call must not undo training
    nn.init.ones_(backbone.stages[0][0].branch[-1].norm.weight)
    trained = parameters_of(backbone)
    backbone.init_weights()
    assert torch.equal(parameters_of(backbone), trained)


def parameters_of(backbone):
    return nn.utils.parameters_to_vector(backbone.parameters()).detach()


def test_at_the_identity_only_what_follows_the_zeroed_weight_learns():
    backbone = make_backbone(depth=18, zero_init_residual=True)
    sum(level.sum() for level in backbone(torch.randn(2, 3, 64, 64))).backward()
    block = backbone.stages[0][0]
    assert block.branch[-1].norm.weight.grad.any()
    assert not block.branch[0].conv.weight.grad.any()
    assert backbone.stem.encode.conv.weight.grad.any()


@pytest.mark.parametrize('zero_init_residual', [False, True])
def test_pretrained(tmp_path, zero_init_residual):
    source = make_backbone('SG-BSG*')
    source(torch.randn(2, 3, 32, 32))  # running statistics of its own
    path = str(tmp_path / 'weights.pth')
    torch.save(source.state_dict(), path)
    entry, own = FAMILY_ENTRIES['SG-BSG*']
    init_cfg = {'type': 'Pretrained', 'checkpoint': path}
    options = {**SMALL, **own, 'zero_init_residual': zero_init_residual}
    backbone = entry(10, **options, init_cfg=init_cfg)
    backbone.init_weights()
    loaded = backbone.state_dict()
    for name, value in source.state_dict().items():
        assert torch.equal(loaded[name], value), name
