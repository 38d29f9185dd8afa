"""Every parameter of every backbone learns."""

import pytest
import torch

from mmsnn.registry import SURROGATES

from ..helpers import FAMILY_ENTRIES, make_backbone, parameters_without_gradient, sum_of
from .networks import make_active


def backward(backbone, size=64):
    levels = backbone(torch.randn(2, 3, size, size))
    sum_of(levels, [torch.randn_like(level) for level in levels]).backward()


@pytest.mark.parametrize(
    ('depth', 'neuron'), [(10, 'IF'), (10, 'LIF'), (18, 'PLIF'), (50, 'PLIF')]
)
@pytest.mark.parametrize('family', FAMILY_ENTRIES)
def test_every_parameter_gets_a_gradient(family, depth, neuron):
    backbone = make_active(family, depth, neuron={'type': neuron})
    backward(backbone)
    assert parameters_without_gradient(backbone) == []


@pytest.mark.parametrize('stem', ['imagenet', 'cifar', 'ms', 'ms104', 'gac'])
@pytest.mark.parametrize('surrogate', SURROGATES.module_dict)
def test_with_every_surrogate_and_stem(surrogate, stem):
    neuron = {'type': 'IF', 'surrogate': {'type': surrogate}}
    backbone = make_backbone('SG-BSG*', neuron=neuron, stem=stem)
    backward(backbone, size=32)
    assert parameters_without_gradient(backbone) == []


def test_closing_norms_learn():
    # pre-activation behind the last block: a norm and a neuron of each output
    backbone = make_active('PA-B', 10, out_indices=(1, 3))
    names = [name for name, _ in backbone.closings.named_parameters()]
    assert names == ['1.norm.weight', '1.norm.bias', '3.norm.weight', '3.norm.bias']
    backward(backbone)
    assert parameters_without_gradient(backbone.closings) == []


def test_the_network_of_ms_resnet104_learns():
    backbone = make_active('MS', 104, base_channels=4, dropout=0.2)
    backward(backbone)
    assert parameters_without_gradient(backbone) == []
