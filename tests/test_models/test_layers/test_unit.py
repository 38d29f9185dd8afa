import re

import pytest
import torch
from torch import nn

from mmsnn.models.layers import LayerFactory, Unit, check_order
from mmsnn.models.neurons import LIF

IF_CFG = {'type': 'IF'}
BN_CFG = {'type': 'BN'}


@pytest.mark.parametrize('kernel_size', [1, 3, 5, 7])
def test_convolutions_keep_the_size(kernel_size):
    conv = LayerFactory(2, IF_CFG, BN_CFG).make_conv(3, 5, kernel_size, 1)
    assert conv.bias is None
    assert conv(torch.rand(1, 3, 9, 11)).shape == (1, 5, 9, 11)


def test_convolution_and_norm_come_from_mmcv_configs():
    norm_cfg = {'type': 'GN', 'num_groups': 2, 'requires_grad': False}
    layers = LayerFactory(2, IF_CFG, norm_cfg, conv_cfg={'type': 'ConvWS'})
    assert type(layers.make_conv(3, 4, 3, 1)).__name__ == 'ConvWS2d'
    norm = layers.make_norm(4)
    assert isinstance(norm, nn.GroupNorm)
    assert norm.num_groups == 2
    assert not norm.weight.requires_grad
    assert norm_cfg == {'type': 'GN', 'num_groups': 2, 'requires_grad': False}


def test_neurons_come_from_a_config_and_share_nothing():
    layers = LayerFactory(3, {'type': 'LIF', 'tau': 4.0}, BN_CFG)
    first, second = layers.make_neuron(), layers.make_neuron()
    assert isinstance(first, LIF)
    assert (first.num_steps, first.tau) == (3, 4.0)
    assert first is not second


@pytest.mark.parametrize('order', ['CNX', 'CC', 'cns', 'CNSN', ' ', 'C N'])
def test_unit_order(order):
    message = f'order must spell C, N and S at most once each, but got {order!r}'
    with pytest.raises(ValueError, match=message):
        check_order(order)
    with pytest.raises(ValueError, match=message):
        Unit(order, 4, 4, 3, 1, LayerFactory(2, IF_CFG, BN_CFG))


@pytest.mark.parametrize(('order', 'channels'), [('CN', 6), ('NC', 4)])
def test_the_norm_has_the_channels_of_its_place(order, channels):
    unit = Unit(order, 4, 6, 3, 1, LayerFactory(2, IF_CFG, BN_CFG))
    assert unit.norm.num_features == channels
    assert unit(torch.rand(2, 4, 5, 5)).shape == (2, 6, 5, 5)


def test_norms_start_at_1_or_as_scaled():
    layers = LayerFactory(2, IF_CFG, BN_CFG)
    assert layers.norm_scale == 1
    assert (layers.make_norm(3).weight == 1).all()
    scaled = layers.scaled(0.5).scaled(0.25)
    assert scaled.norm_scale == 0.125
    norm = scaled.make_norm(3)
    assert (norm.weight == 0.125).all()
    assert (norm.bias == 0).all()
    # the factory itself and its other settings stay as they are
    assert layers.norm_scale == 1
    assert (scaled.num_steps, scaled.neuron, scaled.norm_cfg) == (2, IF_CFG, BN_CFG)


@pytest.mark.parametrize('v_threshold', [0.3, 1.0, 2])
@pytest.mark.parametrize('kind', ['IF', 'LIF', 'PLIF'])
def test_scaled_to_threshold(kind, v_threshold):
    layers = LayerFactory(2, {'type': kind, 'v_threshold': v_threshold}, BN_CFG)
    assert layers.scaled_to_threshold().norm_scale == v_threshold
    assert layers.scaled(0.5).scaled_to_threshold().norm_scale == 0.5 * v_threshold


class Foreign(nn.Identity):
    """A neuron of another package, as far as one can tell."""


def test_scaled_to_the_threshold_of_a_foreign_neuron():
    layers = LayerFactory(2, {'type': Foreign}, BN_CFG)
    message = (
        'threshold-dependent norms need neurons derived from BaseNeuron, but got '
        'Foreign'
    )
    with pytest.raises(TypeError, match=message):
        layers.scaled_to_threshold()


NO_WEIGHT = {'type': 'BN', 'affine': False}
NEEDS_WEIGHT = re.escape(
    'this initialisation needs norms that have a weight and a bias, but got '
    'BatchNorm2d(6, '
)


def test_scaled_norms_need_a_weight():
    layers = LayerFactory(2, IF_CFG, NO_WEIGHT)
    assert layers.make_norm(6).weight is None
    with pytest.raises(ValueError, match=NEEDS_WEIGHT):
        layers.scaled(0.5).make_norm(6)


@pytest.mark.parametrize('current', [0.0, 1.5, -2.0])
@pytest.mark.parametrize('order', ['CN', 'SCN'])
def test_a_constant_by_the_norm(order, current):
    unit = Unit(order, 4, 6, 3, 1, LayerFactory(2, IF_CFG, BN_CFG))
    convolution = unit.conv.weight.clone()
    unit.init_constant(current)
    assert (unit(torch.randn(4, 4, 5, 5)) == current).all()
    assert torch.equal(unit.conv.weight, convolution)


@pytest.mark.parametrize('current', [0.0, 1.5])
def test_a_constant_reaches_the_neurons(current):
    unit = Unit('CNS', 4, 6, 3, 1, LayerFactory(2, IF_CFG, BN_CFG))
    unit.init_constant(current)
    assert (unit(torch.randn(4, 4, 5, 5)) == (current > 1)).all()


@pytest.mark.parametrize('order', ['C', 'NSC', 'CS'])
def test_zero_by_the_convolution(order):
    unit = Unit(order, 4, 6, 3, 1, LayerFactory(2, IF_CFG, NO_WEIGHT))
    assert unit(torch.randn(4, 4, 5, 5)).any()
    unit.init_constant(0.0)
    assert not unit(torch.randn(4, 4, 5, 5)).any()


@pytest.mark.parametrize(
    ('order', 'current'), [('C', 1.0), ('NSC', -1.0), ('NS', 0.0), ('S', 1.0)]
)
def test_a_constant_that_a_unit_cannot_give(order, current):
    unit = Unit(order, 4, 4, 3, 1, LayerFactory(2, IF_CFG, BN_CFG))
    before = [p.clone() for p in unit.parameters()]
    message = f'a unit of order {order!r} cannot start with the constant {current}'
    with pytest.raises(ValueError, match=message):
        unit.init_constant(current)
    assert all(map(torch.equal, before, unit.parameters()))


def test_a_constant_needs_a_norm_with_parameters():
    unit = Unit('CN', 4, 6, 3, 1, LayerFactory(2, IF_CFG, NO_WEIGHT))
    with pytest.raises(ValueError, match=NEEDS_WEIGHT):
        unit.init_constant(0.0)
