"""Every parameter of every backbone learns."""

import pytest
import torch
from torch import nn

from ..helpers import FAMILY_ENTRIES, make_backbone, parameters_without_gradient, sum_of


@pytest.mark.parametrize('neuron', ['IF', 'LIF', 'PLIF'])
@pytest.mark.parametrize('depth', [10, 18, 50])
@pytest.mark.parametrize('family', FAMILY_ENTRIES)
def test_every_parameter_gets_a_gradient(family, depth, neuron):
    backbone = make_backbone(family, depth, neuron={'type': neuron})
    if family == 'SEW-AND':
        # at zero the product of many sparse branches is silent, and nothing learns
        for module in backbone.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.constant_(module.bias, 2.0)
    levels = backbone(torch.randn(2, 3, 64, 64))
    sum_of(levels, [torch.randn_like(level) for level in levels]).backward()
    assert parameters_without_gradient(backbone) == []


@pytest.mark.parametrize('stem', ['imagenet', 'cifar'])
@pytest.mark.parametrize('surrogate', ['ATan', 'Sigmoid', 'Rectangular'])
def test_with_every_surrogate_and_stem(surrogate, stem):
    neuron = {'type': 'IF', 'surrogate': {'type': surrogate}}
    backbone = make_backbone('SG-BSG*', neuron=neuron, stem=stem)
    levels = backbone(torch.randn(2, 3, 32, 32))
    sum_of(levels, [torch.randn_like(level) for level in levels]).backward()
    assert parameters_without_gradient(backbone) == []
