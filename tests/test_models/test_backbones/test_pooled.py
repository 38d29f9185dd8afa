"""The pooled ResNet of the SEW paper's A.5, and the spiking VGG."""

import pytest
import torch
from torch import nn

from mmsnn.models import FAMILIES, IF, VGGSNN, PooledResNet
from mmsnn.models.residual import DenselyAdditive

from ..helpers import calibrate, count_parameters

STEPS = 2


def test_the_default_is_the_papers():
    """c32k3s1-BN-IF-{{SEW Block (c32)}*2-MPk2s2}*5-FC10."""
    net = PooledResNet()
    parameters = 3 * 32 * 9 + 5 * 2 * 2 * 32 * 32 * 9 + (1 + 5 * 2 * 2) * 2 * 32
    assert count_parameters(net) == parameters
    assert net.family is FAMILIES['SEW-ADD']
    assert len([m for m in net.modules() if isinstance(m, IF)]) == 1 + 5 * 2 * 2
    names = [[name for name, _ in stage.named_children()] for stage in net.stages]
    assert names == [['block', 'pool']] * 5
    assert [len(stage.block) for stage in net.stages] == [2] * 5
    (level,) = net(torch.randn(1, 3, 32, 32))
    assert level.shape == (4, 1, 32, 1, 1)


@pytest.mark.parametrize('family', FAMILIES)
def test_every_family(family):
    net = PooledResNet(family, (4, 8), num_steps=STEPS, out_indices=(0, 1))
    net.init_weights()
    calibrate(net, torch.randn(8, 3, 16, 16))
    wiring = FAMILIES[family]
    assert net.values == wiring.values
    assert net.out_values == ('integer' if wiring.values == 'integer' else 'binary')
    assert isinstance(net.stages[1].block, DenselyAdditive) == wiring.densely_additive
    levels = net(torch.randn(2, 3, 17, 16))
    assert [tuple(x.shape) for x in levels] == [(2, 2, 4, 8, 8), (2, 2, 8, 4, 4)]
    for level in levels:
        assert torch.equal(level, level.round())
        assert level.min() >= 0
        assert net.out_values == 'integer' or level.max() <= 1


@pytest.mark.parametrize('depth', [11, 13, 16, 19])
def test_layers_of_vgg(depth):
    with torch.device('meta'):
        net = VGGSNN(depth, out_indices=range(5))
    convs = [m for m in net.modules() if isinstance(m, nn.Conv2d)]
    # three linear layers are the head's
    assert len(convs) + 3 == net.depth == depth
    assert {conv.kernel_size for conv in convs} == {(3, 3)}
    assert len([m for m in net.modules() if isinstance(m, IF)]) == len(convs)
    assert net.out_channels == (64, 128, 256, 512, 512)


def test_parameters_and_sizes_of_vgg16():
    # what torchvision's vgg16_bn has, without biases that norms make idle
    assert count_parameters(VGGSNN(16)) == 14_723_136 - 4_224
    for depth, values in ((11, 'analog'), (13, 'binary')):
        assert VGGSNN(depth, base_channels=4, stem='gac-cifar').out_values == values
    net = VGGSNN(16, num_steps=STEPS, base_channels=4, out_indices=(0, 4))
    levels = net(torch.randn(8, 3, 32, 40))
    assert [tuple(x.shape) for x in levels] == [(2, 8, 4, 16, 20), (2, 8, 32, 1, 1)]
    with pytest.raises(ValueError, match='at least 32 x 32 pixels'):
        net(torch.randn(1, 3, 31, 32))
