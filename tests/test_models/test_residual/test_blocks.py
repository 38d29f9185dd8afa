import pytest
import torch
from torch import nn

from mmsnn.models.layers import LayerFactory, Unit
from mmsnn.models.residual import (
    FAMILIES,
    AddMerge,
    BasicBlock,
    Bottleneck,
    ResidualBlock,
    Wiring,
)

LAYERS = LayerFactory(2, {'type': 'IF'}, {'type': 'BN'})


def convolutions(block):
    return [
        (m.in_channels, m.out_channels, m.kernel_size[0], m.stride[0])
        for m in block.branch.modules()
        if isinstance(m, nn.Conv2d)
    ]


def test_basic_block():
    block = BasicBlock(8, 16, 2, FAMILIES['SG-BSG'], LAYERS)
    assert convolutions(block) == [(8, 16, 3, 2), (16, 16, 3, 1)]
    projection = block.projection.conv
    assert (projection.kernel_size, projection.stride) == ((1, 1), (2, 2))
    assert block(torch.rand(4, 8, 7, 9)).shape == (4, 16, 4, 5)


def test_bottleneck_strides_on_its_3x3():
    block = Bottleneck(8, 16, 2, FAMILIES['SG-BSG'], LAYERS)
    assert convolutions(block) == [(8, 16, 1, 1), (16, 16, 3, 2), (16, 64, 1, 1)]
    assert block(torch.rand(4, 8, 7, 9)).shape == (4, 64, 4, 5)


@pytest.mark.parametrize(
    ('block', 'in_channels', 'stride', 'projects'),
    [
        (BasicBlock, 16, 1, False),
        (BasicBlock, 16, 2, True),
        (BasicBlock, 8, 1, True),
        (Bottleneck, 64, 1, False),
        (Bottleneck, 16, 1, True),
    ],
)
def test_projection_where_the_shape_changes(block, in_channels, stride, projects):
    made = block(in_channels, 16, stride, FAMILIES['SEW-ADD'], LAYERS)
    assert (made.projection is not None) == projects


@pytest.mark.parametrize('family', FAMILIES)
def test_no_convolution_has_a_bias(family):
    block = Bottleneck(8, 16, 2, FAMILIES[family], LAYERS)
    biases = [m.bias for m in block.modules() if isinstance(m, nn.Conv2d)]
    assert len(biases) == (3 if family == 'plain' else 4)
    assert all(bias is None for bias in biases)


def test_a_wiring_decides_the_order_of_layers():
    wiring = Wiring(
        AddMerge,
        'a test',
        unit='SNC',
        last_unit='CSN',
        projection='SC',
        identity='SN',
        post='N',
    )
    block = BasicBlock(8, 16, 2, wiring, LAYERS)
    orders = [list(unit._modules) for unit in block.branch]
    assert orders == [['neuron', 'norm', 'conv'], ['conv', 'neuron', 'norm']]
    assert list(block.projection._modules) == ['neuron', 'conv']
    assert list(block.post._modules) == ['norm']
    assert block.post.norm.num_features == 16
    assert block(torch.rand(4, 8, 8, 8)).shape == (4, 16, 4, 4)
    same = BasicBlock(8, 8, 1, wiring, LAYERS)
    assert list(same.projection._modules) == ['neuron', 'norm']


@pytest.mark.parametrize('order', ['CNS', 'SCN', 'NSC', 'CN', 'C', 'NS', 'S', ''])
def test_unit_orders(order):
    unit = Unit(order, 4, 6 if 'C' in order else 4, 3, 2, LAYERS)
    names = {'C': 'conv', 'N': 'norm', 'S': 'neuron'}
    assert list(unit._modules) == [names[letter] for letter in order]
    shape = (2, 6, 4, 4) if 'C' in order else (2, 4, 7, 7)
    assert unit(torch.rand(2, 4, 7, 7)).shape == shape


def test_a_block_without_convolutions_says_so():
    with pytest.raises(NotImplementedError, match='ResidualBlock defines no conv'):
        ResidualBlock(4, 4, 1, FAMILIES['SG-BSG'], LAYERS)
