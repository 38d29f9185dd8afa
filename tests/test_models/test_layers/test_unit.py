import re

import pytest
import torch
from torch import nn

from mmsnn.models.layers import LayerFactory, Unit
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


@pytest.mark.parametrize('num_steps', [0, -1])
def test_num_steps(num_steps):
    with pytest.raises(ValueError, match='num_steps must be at least 1'):
        LayerFactory(num_steps, IF_CFG, BN_CFG)


@pytest.mark.parametrize('norm_cfg', ['BN', None, {}, {'requires_grad': True}])
def test_norm_cfg(norm_cfg):
    message = f'norm_cfg must be a dict with a type, but got {norm_cfg!r}'
    with pytest.raises(TypeError, match=re.escape(message)):
        LayerFactory(2, IF_CFG, norm_cfg)


@pytest.mark.parametrize('order', ['CNX', 'CC', 'cns', 'CNSN'])
def test_unit_order(order):
    message = f'order must spell C, N and S at most once each, but got {order!r}'
    with pytest.raises(ValueError, match=message):
        Unit(order, 4, 4, 3, 1, LayerFactory(2, IF_CFG, BN_CFG))


@pytest.mark.parametrize(('order', 'channels'), [('CN', 6), ('NC', 4)])
def test_the_norm_has_the_channels_of_its_place(order, channels):
    unit = Unit(order, 4, 6, 3, 1, LayerFactory(2, IF_CFG, BN_CFG))
    assert unit.norm.num_features == channels
    assert unit(torch.rand(2, 4, 5, 5)).shape == (2, 6, 5, 5)
