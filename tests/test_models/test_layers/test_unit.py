import pytest
import torch
from torch import nn

from mmsnn.models.layers import LayerFactory, Unit, check_order
from mmsnn.models.neurons import LIF

IF_CFG = {'type': 'IF'}
BN_CFG = {'type': 'BN'}
NO_WEIGHT = {'type': 'BN', 'affine': False}
NEEDS_WEIGHT = r'norms that have a weight and a bias, but got BatchNorm2d\(6, '
LAYERS = LayerFactory(2, IF_CFG, BN_CFG)


def make_unit(order, out_channels=6, layers=LAYERS):
    return Unit(order, 4, out_channels, 3, 1, layers)


@pytest.mark.parametrize('kernel_size', [1, 3, 5, 7])
def test_convolutions_keep_the_size(kernel_size):
    conv = LAYERS.make_conv(3, 5, kernel_size, 1)
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
def test_wrong_orders(order):
    for make in (check_order, lambda order: make_unit(order)):
        with pytest.raises(ValueError, match=f'order must spell C, N .*{order!r}'):
            make(order)


@pytest.mark.parametrize('order', ['CNS', 'SCN', 'NSC', 'CN', 'NC', 'C', 'NS', 'S', ''])
def test_orders(order):
    unit = Unit(order, 4, 6 if 'C' in order else 4, 3, 2, LAYERS)
    names = {'C': 'conv', 'N': 'norm', 'S': 'neuron'}
    assert list(unit._modules) == [names[letter] for letter in order]
    if 'N' in order:  # has the channels of its place
        assert unit.norm.num_features == (6 if 'CN' in order else 4)
    shape = (2, 6, 4, 4) if 'C' in order else (2, 4, 7, 7)
    assert unit(torch.rand(2, 4, 7, 7)).shape == shape


def test_norms_start_at_1_or_as_scaled():
    layers = LAYERS
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


def test_what_is_needed():
    message = 'norms need neurons derived from BaseNeuron, but got Foreign'
    with pytest.raises(TypeError, match=message):
        LayerFactory(2, {'type': Foreign}, BN_CFG).scaled_to_threshold()
    layers = LayerFactory(2, IF_CFG, NO_WEIGHT)
    assert layers.make_norm(6).weight is None
    with pytest.raises(ValueError, match=NEEDS_WEIGHT):
        layers.scaled(0.5).make_norm(6)
    with pytest.raises(ValueError, match=NEEDS_WEIGHT):
        make_unit('CN', layers=layers).init_constant(0.0)


@pytest.mark.parametrize('current', [0.0, 1.5, -2.0])
@pytest.mark.parametrize('order', ['CN', 'SCN', 'CNS'])
def test_a_constant_by_the_norm(order, current):
    unit = make_unit(order)
    convolution = unit.conv.weight.clone()
    unit.init_constant(current)
    expected = current > 1 if order.endswith('S') else current
    assert (unit(torch.randn(4, 4, 5, 5)) == expected).all()
    assert torch.equal(unit.conv.weight, convolution)


@pytest.mark.parametrize('order', ['C', 'NSC', 'CS'])
def test_zero_by_the_convolution(order):
    unit = make_unit(order, layers=LayerFactory(2, IF_CFG, NO_WEIGHT))
    assert unit(torch.randn(4, 4, 5, 5)).any()
    unit.init_constant(0.0)
    assert not unit(torch.randn(4, 4, 5, 5)).any()


@pytest.mark.parametrize(
    ('order', 'current'), [('C', 1.0), ('NSC', -1.0), ('NS', 0.0), ('S', 1.0)]
)
def test_a_constant_that_a_unit_cannot_give(order, current):
    unit = make_unit(order, 4)
    before = [p.clone() for p in unit.parameters()]
    with pytest.raises(ValueError, match=f'{order!r} cannot start .*{current}'):
        unit.init_constant(current)
    assert all(map(torch.equal, before, unit.parameters()))
