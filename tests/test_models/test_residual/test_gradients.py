"""Every parameter of every kind of block learns."""

import pytest
import torch
from torch import nn

from mmsnn.models.residual import FAMILIES, BasicBlock, Bottleneck, make_stage

from ..helpers import SILENT, parameters_without_gradient
from .by_hand import LAYERS, STEPS, sample


@pytest.mark.parametrize('neuron', ['IF', 'LIF', 'PLIF'])
@pytest.mark.parametrize('stride', [1, 2])
@pytest.mark.parametrize('block', [BasicBlock, Bottleneck])
@pytest.mark.parametrize('family', FAMILIES)
def test_a_step_changes_every_parameter(family, block, stride, neuron):
    wiring = FAMILIES[family]
    # at stride 1 nothing is projected, at stride 2 the first block does it
    channels = 8 // block.expansion
    stage = make_stage(block, 2, 8, channels, stride, wiring, LAYERS[neuron])
    if family in SILENT:
        # a product of sparse branches is silent, and nothing learns
        for module in stage.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.constant_(module.bias, 2.0)
    before = {k: p.detach().clone() for k, p in stage.named_parameters()}
    optimizer = torch.optim.SGD(stage.parameters(), lr=0.1)
    x = sample(wiring.values, STEPS * 4, 8, 8, 8)

    y = stage(x)
    (y * torch.randn_like(y)).sum().backward()
    optimizer.step()

    assert parameters_without_gradient(stage) == []
    assert x.grad.any()
    unchanged = [k for k, p in stage.named_parameters() if torch.equal(p, before[k])]
    assert unchanged == []
    assert all(p.isfinite().all() for p in stage.parameters())
