"""What holds for the backbones of every family, with both kinds of block."""

import pytest
import torch

from mmsnn.models import FAMILIES, ResNetSNN
from mmsnn.models.residual import BasicBlock, Bottleneck, ResidualBlock

from ..helpers import make_backbone
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


@torch.no_grad()
def features(backbone, image):
    levels = backbone(image)
    assert all(level.any() for level in levels)
    return levels


def kind_of(tensors):
    """Return which values the tensors have, in the words of ``values``."""
    every = torch.cat([tensor.flatten() for tensor in tensors])
    if not torch.equal(every, every.round()):
        return 'analog'
    assert every.min() == 0
    return 'binary' if every.max() == 1 else 'integer'


@pytest.mark.parametrize(('family', 'depth'), BOTH_BLOCKS)
def test_values(family, depth):
    backbone = make_active(family, depth)
    # what goes into blocks behind the stem: what other blocks gave
    between = []
    for module in backbone.modules():
        if isinstance(module, ResidualBlock) and module is not backbone.stages[0][0]:
            module.register_forward_pre_hook(lambda _, args: between.append(args[0]))
    levels = features(backbone, torch.randn(2, 3, 64, 64))
    assert len(between) == sum(BLOCKS[depth][1]) - 1
    assert kind_of(between) == backbone.values
    # neurons close analog stages, so that decoders get spikes
    assert kind_of(levels) == backbone.out_values != 'analog'


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
    between = []
    backbone.stages[0][1].register_forward_pre_hook(
        lambda _, args: between.append(args[0])
    )
    levels = features(backbone, torch.randn(2, 3, 64, 64))
    assert kind_of(between) == backbone.values == values
    assert kind_of(levels) == backbone.out_values == out_values


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
    for stage in backbone.stages:
        assert {type(module) for module in stage} == {block}
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
    assert all(torch.equal(a, b) for a, b in zip(again, levels, strict=True))
    sum(level.sum() for level in again).backward()
    assert frames.grad[:, 0].any()
    assert frames.grad[:, 1].any()
