"""What holds for the ResNets of every family, with both kinds of block."""

import pytest
import torch
from torch import nn

from mmsnn.deploy import FoldedNorm, fold_norms
from mmsnn.models import FAMILIES, DenseNetSNN, ResNetSNN, SGResNet
from mmsnn.models.residual import BasicBlock, Bottleneck, ResidualBlock

from ..helpers import SMALL, make_backbone
from .networks import BOTH_BLOCKS, make_active

BLOCKS = {
    10: (BasicBlock, [1, 1, 1, 1]),
    18: (BasicBlock, [2, 2, 2, 2]),
    19: (BasicBlock, [3, 3, 2]),
    34: (BasicBlock, [3, 4, 6, 3]),
    50: (Bottleneck, [3, 4, 6, 3]),
    101: (Bottleneck, [3, 4, 23, 3]),
    104: (BasicBlock, [3, 8, 32, 8]),
    152: (Bottleneck, [3, 8, 36, 3]),
}


def kind_of(tensors):
    """Return which values the tensors have, in the words of ``values``."""
    every = torch.cat([tensor.flatten() for tensor in tensors])
    if not torch.equal(every, every.round()):
        return 'analog'
    assert every.min() == 0
    return 'binary' if every.max() == 1 else 'integer'


@torch.no_grad()
def kinds(backbone):
    """Return the kinds of what blocks give each other and of the levels."""
    between = []
    for module in backbone.modules():
        if isinstance(module, ResidualBlock) and module is not backbone.stages[0][0]:
            module.register_forward_pre_hook(lambda _, args: between.append(args[0]))
    levels = backbone(torch.randn(2, 3, 64, 64))
    assert all(level.any() for level in levels)
    assert len(between) == sum(len(stage) for stage in backbone.stages) - 1
    return kind_of(between), kind_of(levels)


@pytest.mark.parametrize(('family', 'depth'), BOTH_BLOCKS)
def test_values(family, depth):
    backbone = make_active(family, depth)
    assert kinds(backbone) == (backbone.values, backbone.out_values)
    # neurons close analog stages, so that decoders get spikes
    assert backbone.out_values != 'analog'


@pytest.mark.parametrize(
    ('family', 'values', 'out_values'),
    [
        ('Spiking', 'binary', 'binary'),
        ('plain', 'binary', 'binary'),
        ('SG-BSG', 'analog', 'analog'),
        ('SEW-ADD', 'analog', 'analog'),
        ('MS', 'analog', 'binary'),
    ],
)
def test_shortcuts_carry_a_graded_stem(family, values, out_values):
    backbone = make_active(family, 18, stem='gac', out_indices=(0,))
    assert kinds(backbone) == (values, out_values)
    assert (backbone.values, backbone.out_values) == (values, out_values)


@pytest.mark.parametrize(
    ('family', 'depth'),
    [*(('SG-BSG', depth) for depth in BLOCKS), *((row, 50) for row in FAMILIES)],
)
def test_every_depth(family, depth):
    block, blocks = BLOCKS[depth]
    stages = range(len(blocks))
    with torch.device('meta'):
        backbone = ResNetSNN(
            depth, family, strides=[1 + (i > 0) for i in stages], out_indices=stages
        )
    assert [len(stage) for stage in backbone.stages] == blocks
    assert {type(module) for stage in backbone.stages for module in stage} == {block}
    # by its name the depth counts the stem, the branches and a classifier, which has
    # two layers in ResNet19
    convolutions = sum(len(module.branch) for s in backbone.stages for module in s)
    assert 1 + convolutions + (2 if depth == 19 else 1) == depth
    width = 64 * block.expansion
    assert backbone.out_channels == tuple(width * 2**i for i in stages)


def test_frames_are_trained_on():
    # the same statistics, over T times as many values
    image = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    backbone = make_backbone('SG-BSG*', 18).double()
    levels = backbone(image)
    frames = image.unsqueeze(1).repeat(1, 2, 1, 1, 1).requires_grad_()
    again = backbone(frames)
    assert all(map(torch.equal, again, levels))
    sum(level.sum() for level in again).backward()
    assert frames.grad[:, 0].any() and frames.grad[:, 1].any()


def norms_that_stay(family, depth):
    """Return how many norms of a ResNet follow a sum, by the family's wiring."""
    wiring = FAMILIES[family]
    # a stem's stride and a bottleneck's expansion decide which blocks project
    blocks, projections = {10: (4, 3), 50: (16, 4)}[depth]
    return (
        # the later units' norms follow the convolution before them
        blocks * wiring.unit.startswith('N')
        + (blocks - projections) * (wiring.identity == 'N')
        + blocks * wiring.post.startswith('N')
        + 4 * wiring.closing.startswith('N')
    )


def check_folded(backbone, left):
    def count(network, kind):
        return sum(isinstance(module, kind) for module in network.modules())

    folded = fold_norms(backbone.eval())
    assert count(folded, nn.BatchNorm2d) == left
    assert count(folded, FoldedNorm) == count(backbone, nn.BatchNorm2d) - left > 0


@pytest.mark.parametrize(
    ('family', 'depth'), [*((row, 10) for row in FAMILIES), ('PA-B', 50), ('tdBN', 50)]
)
def test_which_norms_are_folded(family, depth):
    check_folded(make_backbone(family, depth), norms_that_stay(family, depth))


@pytest.mark.parametrize(('order', 'left'), [('CNS', 0), ('NSC', 21)])
def test_which_norms_of_densenet_are_folded(order, left):
    # of the ANN's order the norms before 1x1 convolutions follow a concatenation: 6 +
    # 12 in layers, 1 in the transition, 2 that close
    check_folded(DenseNetSNN(121, order, growth_rate=4, out_indices=(0, 1)), left)


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
    width = 16 if depth == 50 else 4
    channels = tuple(width * 2**i for i in range(4))
    assert backbone.out_channels == channels
    assert [tuple(level.shape) for level in levels] == [
        (3, 2, c, *size) for c, size in zip(channels, sizes, strict=True)
    ]


@pytest.mark.parametrize('avg_down', [False, True])
@pytest.mark.parametrize('depth', [10, 50])
def test_strides(depth, avg_down):
    strides = [2, 1, 3, 2]
    backbone = make_backbone(depth=depth, strides=strides, avg_down=avg_down)
    levels = backbone(torch.randn(2, 3, 65, 97))
    sizes = [(9, 13), (9, 13), (3, 5), (2, 3)]
    assert [tuple(level.shape[-2:]) for level in levels] == sizes
    for stage, stride in zip(backbone.stages, strides, strict=True):
        first, *others = stage
        # what shrinks shrinks once, in front of the projection or in it
        pooled = avg_down and stride > 1
        assert (first.pool is not None) == pooled
        assert first.projection.conv.stride == ((1, 1) if pooled else (stride,) * 2)
        assert all(block.projection is None for block in others)
        found = [unit.conv.stride[0] for block in stage for unit in block.branch]
        assert sorted(found)[-2:] == [1, stride]


def test_defaults_own_wirings_and_sync_bn():
    assert SGResNet(10, base_channels=4).out_channels == (32,)  # of the last stage
    own = ResNetSNN(10, FAMILIES['SG-BSG'], **SMALL)
    assert len(own(torch.randn(1, 3, 32, 32))) == 4
    backbone = make_backbone(norm_cfg={'type': 'SyncBN', 'requires_grad': True})
    norms = [m for m in backbone.modules() if isinstance(m, nn.SyncBatchNorm)]
    assert len(norms) == 1 + 4 * 2 + 3
    assert len(backbone.eval()(torch.randn(1, 3, 32, 32))) == 4
