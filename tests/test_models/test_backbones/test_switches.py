"""Freezing, norm evaluation and initialisation."""

import copy
import math

import pytest
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from ..helpers import FAMILY_ENTRIES, SMALL, make_backbone


def norm_state(module):
    return {
        name: value.clone()
        for name, value in module.state_dict().items()
        if 'running' in name or 'num_batches' in name
    }


def is_unchanged(before, after):
    return all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize('frozen_stages', [-1, 0, 1, 2, 4])
def test_frozen_stages(frozen_stages):
    backbone = make_backbone('SG-BSG*', frozen_stages=frozen_stages)
    backbone.train(False).train(True)
    parts = [backbone.stem, *backbone.stages]
    before = [norm_state(part) for part in parts]
    features = backbone(torch.randn(2, 3, 32, 32))
    if frozen_stages < 4:
        sum(level.sum() for level in features).backward()
    else:
        assert not any(level.requires_grad for level in features)
    for index, part in enumerate(parts):
        frozen = index <= frozen_stages
        for p in part.parameters():
            assert p.requires_grad is not frozen
            assert (p.grad is None) is frozen
        assert all(module.training is not frozen for module in part.modules())
        assert is_unchanged(before[index], norm_state(part)) is frozen


def test_frozen_from_the_start():
    # a model is in training mode before anybody calls train()
    backbone = make_backbone(frozen_stages=1)
    assert backbone.training
    assert not backbone.stem.training
    assert not backbone.stages[0].training
    assert backbone.stages[1].training


def test_norm_eval():
    backbone = make_backbone(norm_eval=True).train()
    norms = [m for m in backbone.modules() if isinstance(m, _BatchNorm)]
    assert len(norms) == 1 + 4 * 2 + 3
    assert not any(norm.training for norm in norms)
    assert backbone.training
    assert backbone.stages[0][0].branch[0].conv.training
    assert all(p.requires_grad for p in backbone.parameters())
    before = norm_state(backbone)
    backbone(torch.randn(2, 3, 32, 32))
    assert is_unchanged(before, norm_state(backbone))


def test_without_norm_eval_norms_train():
    backbone = make_backbone().eval()
    assert not any(m.training for m in backbone.modules())
    backbone.train()
    assert all(m.training for m in backbone.modules())


def test_default_initialisation_is_kaiming():
    backbone = make_backbone(base_channels=32)
    for module in backbone.modules():
        if isinstance(module, nn.Conv2d):
            fan_out = module.out_channels * math.prod(module.kernel_size)
            expected = math.sqrt(2 / fan_out)
            assert module.weight.std().item() == pytest.approx(expected, rel=0.1)
        elif isinstance(module, nn.BatchNorm2d):
            assert (module.weight == 1).all()
            assert (module.bias == 0).all()


def test_initialisation_is_seeded():
    states = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        states.append(make_backbone().state_dict())
    same, again, other = states
    assert all(torch.equal(same[name], again[name]) for name in same)
    name = 'stages.0.0.branch.0.conv.weight'
    assert not torch.equal(same[name], other[name])


def test_initialisation_runs_once():
    backbone = make_backbone(zero_init_residual=True)
    before = copy.deepcopy(backbone.state_dict())
    # MMEngine warns, and a detector's second call must not undo training
    norm = backbone.stages[0][0].branch[-1].norm
    nn.init.ones_(norm.weight)
    backbone.init_weights()
    assert (norm.weight == 1).all()
    name = 'stem.encode.conv.weight'
    assert torch.equal(backbone.state_dict()[name], before[name])


def test_init_cfg_replaces_the_default():
    backbone = make_backbone(init_cfg={'type': 'Constant', 'layer': 'Conv2d', 'val': 3})
    assert (backbone.stem.encode.conv.weight == 3).all()


@pytest.mark.parametrize('family', FAMILY_ENTRIES)
@pytest.mark.parametrize('neuron', [{'type': 'IF'}, {'type': 'LIF', 'tau': 2.0}])
def test_zero_init_residual(family, neuron):
    options = {'depth': 18, 'neuron': neuron, 'zero_init_residual': True}
    backbone = make_backbone(family, **options)
    x = (torch.rand(4, 8, 8, 8) < 0.4).float()
    for stage, channels in zip(backbone.stages, (8, 16, 32, 64), strict=True):
        block = stage[-1]
        assert block.projection is None
        x = (torch.rand(4, channels, 8, 8) < 0.4).float()
        assert torch.equal(block(x), x)
    plain = make_backbone(family, depth=18, neuron=neuron)
    x = (torch.rand(4, 8, 8, 8) < 0.4).float()
    assert not torch.equal(plain.stages[0][-1](x), x)


def test_zero_init_residual_gradients():
    # at the identity, only what follows the zeroed weight learns in the first step
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
    backbone = entry(
        10,
        **SMALL,
        **own,
        zero_init_residual=zero_init_residual,
        init_cfg={'type': 'Pretrained', 'checkpoint': path},
    )
    backbone.init_weights()
    loaded = backbone.state_dict()
    for name, value in source.state_dict().items():
        assert torch.equal(loaded[name], value), name
