"""Freezing, norm evaluation and initialisation."""

import copy
import math

import pytest
import torch
from torch import nn

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
def test_frozen_closings(frozen_stages):
    # the norm and the neuron that close a stage are frozen with it
    options = {'neuron': {'type': 'PLIF'}, 'out_indices': (0, 1, 3)}
    backbone = make_backbone('PA-B', frozen_stages=frozen_stages, **options)
    backbone.train(False).train(True)
    before = {i: norm_state(closing) for i, closing in backbone.closings.items()}
    levels = backbone(torch.randn(2, 3, 64, 64))
    for i, level in zip(backbone.closings, levels, strict=True):
        closing = backbone.closings[i]
        frozen = int(i) < frozen_stages
        assert level.requires_grad is not frozen
        assert [name for name, _ in closing.named_parameters()] == [
            'norm.weight',
            'norm.bias',
            'neuron.w',
        ]
        assert all(p.requires_grad is not frozen for p in closing.parameters())
        assert all(module.training is not frozen for module in closing.modules())
        assert is_unchanged(before[i], norm_state(closing)) is frozen


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


@pytest.mark.parametrize('family', ['tdBN', 'MS', 'PA-B'])
def test_a_users_initialisation_rules_threshold_dependent_norms(family):
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
            assert (module.weight == 2).all()
            assert (module.bias == 0.25).all()


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
