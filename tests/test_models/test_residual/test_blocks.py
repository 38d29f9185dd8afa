import pytest
import torch
from torch import nn

from mmsnn.models.layers import LayerFactory
from mmsnn.models.residual import (
    FAMILIES,
    AddMerge,
    BasicBlock,
    Bottleneck,
    ResidualBlock,
    Wiring,
)

LAYERS = LayerFactory(2, {'type': 'IF'}, {'type': 'BN'})


@pytest.mark.parametrize(
    ('block', 'convolutions'),
    [
        (BasicBlock, [(8, 16, 3, 2), (16, 16, 3, 1), (8, 16, 1, 2)]),
        # which strides on its 3x3
        (Bottleneck, [(8, 16, 1, 1), (16, 16, 3, 2), (16, 64, 1, 1), (8, 64, 1, 2)]),
    ],
)
def test_convolutions(block, convolutions):
    made = block(8, 16, 2, FAMILIES['SG-BSG'], LAYERS)
    found = [
        (m.in_channels, m.out_channels, m.kernel_size[0], m.stride[0])
        for m in made.modules()
        if isinstance(m, nn.Conv2d)
    ]
    assert found == convolutions
    assert made(torch.rand(4, 8, 7, 9)).shape == (4, convolutions[-1][1], 4, 5)


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
    assert biases == [None] * (3 if family == 'plain' else 4)
    if family == 'plain':
        assert [name for name, _ in block.named_children()] == ['branch']


def test_a_wiring_decides_the_order_of_layers():
    orders = dict(unit='SNC', last_unit='CSN', projection='SC', identity='SN', post='N')
    wiring = Wiring(AddMerge, 'a test', **orders)
    block = BasicBlock(8, 16, 2, wiring, LAYERS)
    units = [list(unit._modules) for unit in block.branch]
    assert units == [['neuron', 'norm', 'conv'], ['conv', 'neuron', 'norm']]
    assert list(block.projection._modules) == ['neuron', 'conv']
    assert list(block.post._modules) == ['norm']
    assert block.post.norm.num_features == 16
    assert block(torch.rand(4, 8, 8, 8)).shape == (4, 16, 4, 4)
    same = BasicBlock(8, 8, 1, wiring, LAYERS)
    assert list(same.projection._modules) == ['neuron', 'norm']


def test_a_block_without_convolutions_says_so():
    with pytest.raises(NotImplementedError, match='ResidualBlock defines no conv'):
        ResidualBlock(4, 4, 1, FAMILIES['SG-BSG'], LAYERS)
