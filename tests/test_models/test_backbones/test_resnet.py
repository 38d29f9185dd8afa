"""Shapes and building of the spiking ResNets."""

import pytest
import torch
from torch import nn

from mmsnn.models import FAMILIES, ResNetSNN, SGResNet

from ..helpers import SMALL, make_backbone


@pytest.mark.parametrize('depth', [10, 50])
@pytest.mark.parametrize(
    ('stem', 'sizes'),
    [
        ('imagenet', [(17, 25), (9, 13), (5, 7), (3, 4)]),
        ('cifar', [(65, 97), (33, 49), (17, 25), (9, 13)]),
        ('ms', [(33, 49), (17, 25), (9, 13), (5, 7)]),
        ('ms104', [(33, 49), (17, 25), (9, 13), (5, 7)]),
    ],
)
def test_shapes_at_odd_sizes(stem, sizes, depth):
    backbone = make_backbone(depth=depth, stem=stem, num_steps=3, base_channels=4)
    levels = backbone(torch.randn(2, 3, 65, 97))
    expansion = 4 if depth == 50 else 1
    channels = tuple(4 * 2**i * expansion for i in range(4))
    assert backbone.out_channels == channels
    assert [tuple(level.shape) for level in levels] == [
        (3, 2, c, *size) for c, size in zip(channels, sizes, strict=True)
    ]


@pytest.mark.parametrize('avg_down', [False, True])
@pytest.mark.parametrize('depth', [10, 50])
def test_strides(depth, avg_down):
    options = {'strides': [2, 1, 3, 2], 'avg_down': avg_down}
    backbone = make_backbone(depth=depth, **options)
    levels = backbone(torch.randn(2, 3, 65, 97))
    sizes = [(9, 13), (9, 13), (3, 5), (2, 3)]
    assert [tuple(level.shape[-2:]) for level in levels] == sizes
    for stage, stride in zip(backbone.stages, options['strides'], strict=True):
        first, *others = stage
        # what shrinks shrinks once, in front of the projection or in it
        pooled = avg_down and stride > 1
        assert (first.pool is not None) == pooled
        assert first.projection.conv.stride == ((1, 1) if pooled else (stride,) * 2)
        assert all(block.projection is None for block in others)
        strides = [unit.conv.stride[0] for block in stage for unit in block.branch]
        assert sorted(strides)[-2:] == [1, stride]


def test_the_last_stage_is_the_default_output():
    assert SGResNet(10, base_channels=4).out_channels == (32,)


def test_a_wiring_of_ones_own():
    backbone = ResNetSNN(10, FAMILIES['SG-BSG'], **SMALL)
    assert len(backbone(torch.randn(1, 3, 32, 32))) == 4


def test_sync_bn_builds():
    backbone = make_backbone(norm_cfg={'type': 'SyncBN', 'requires_grad': True})
    norms = [m for m in backbone.modules() if isinstance(m, nn.SyncBatchNorm)]
    assert len(norms) == 1 + 4 * 2 + 3
    assert len(backbone.eval()(torch.randn(1, 3, 32, 32))) == 4
