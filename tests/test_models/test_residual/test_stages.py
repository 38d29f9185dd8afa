"""Stages: chains of blocks, densely additive ones, and what ``make_stage`` builds."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mmsnn.models.residual import (
    FAMILIES,
    BasicBlock,
    Bottleneck,
    DenselyAdditive,
    make_stage,
)

from .by_hand import LAYERS, STEPS, ByHand, assert_same, sample, scatter
from .test_equations import EQUATIONS


def chained(b0, b1, b2, x):
    return b2(b1(b0(x)))


def unrolled_pa_a(b0, b1, b2, x):
    """The shortcut's value and the branches that are added to it, one by one."""
    first = b0.n2(b0.c2(b0.s(b0.n1(b0.c1(b0.s(x)))))) + b0.pn(b0.pc(x))
    second = b1.n2(b1.c2(b1.s(b1.n1(b1.c1(b1.s(first))))))
    both = first + second
    return both + b2.n2(b2.c2(b2.s(b2.n1(b2.c1(b2.s(both))))))


def unrolled_pa_b(b0, b1, b2, x):
    first = b0.c2(b0.s(b0.n2(b0.c1(b0.s(b0.n1(x)))))) + b0.pc(x)
    second = b1.c2(b1.s(b1.n2(b1.c1(b1.s(b1.n1(first))))))
    both = first + second
    return both + b2.c2(b2.s(b2.n2(b2.c1(b2.s(b2.n1(both))))))


def densely_added(b0, b1, b2, x):
    f0 = b0(x)
    f1 = b1(f0)
    f2 = b2(f0 + f1)
    return f0 + f1 + f2


# By the blocks' equations, or where a family has no neuron between blocks, by layers.
STAGES = {
    'Spiking': chained,
    'tdBN': chained,
    'BAA': chained,
    'PA-A': unrolled_pa_a,
    'PA-B': unrolled_pa_b,
    'DANet-A': unrolled_pa_a,
    'DANet-B': unrolled_pa_b,
    'DANet-C': densely_added,
    'DANet-D': densely_added,
}
UNROLLED = (unrolled_pa_a, unrolled_pa_b)


def double_stage(family, num_blocks=3, block=BasicBlock):
    """Return a busy stage that halves the size, and an input."""
    wiring = FAMILIES[family]
    channels = 8 // block.expansion
    stage = make_stage(block, num_blocks, 6, channels, 2, wiring, LAYERS['IF'])
    x = sample(wiring.values, STEPS * 2, 6, 9, 8, dtype=torch.float64)
    return scatter(stage.double()), x


@pytest.mark.parametrize('block', [BasicBlock, Bottleneck])
@pytest.mark.parametrize('family', STAGES)
def test_three_blocks(family, block):
    stage, x = double_stage(family, block=block)
    formula = STAGES[family]
    blocks = [ByHand(b) for b in stage]
    if formula not in UNROLLED:
        blocks = [lambda x, b=b: EQUATIONS[family](b, x) for b in blocks]
    assert_same(stage(x), formula(*blocks, x), x, stage)


@pytest.mark.parametrize(
    ('dense', 'plain'), [('DANet-C', 'Spiking'), ('DANet-D', 'BAA')]
)
@pytest.mark.parametrize('num_blocks', [1, 2, 3])
def test_dense_addition_changes_every_stage_of_more_than_one_block(
    num_blocks, dense, plain
):
    # at two blocks the paper's text says otherwise, its Listing 1 does it
    stage, x = double_stage(dense, num_blocks)
    ordinary, _ = double_stage(plain, num_blocks)
    ordinary.load_state_dict(stage.state_dict())
    y = stage(x)
    assert torch.equal(y, ordinary(x)) == (num_blocks == 1)
    if num_blocks == 2:
        first = stage[0](x)
        assert torch.equal(y, first + stage[1](first))


@pytest.mark.parametrize('family', ['PA-A', 'PA-B', 'SEW-ADD'])
def test_without_layers_between_blocks_a_stage_is_densely_additive(family):
    """Eq. 10: the blocks without their shortcuts, densely added."""
    stage, x = double_stage(family)
    first, *others = stage
    dense = DenselyAdditive(first, *(block.branch for block in others))
    assert_same(dense(x), stage(x), x, dense)


@pytest.mark.parametrize('family', ['Spiking', 'BAA'])
def test_with_layers_between_blocks_it_is_not(family):
    stage, x = double_stage(family)
    first, *others = stage
    dense = DenselyAdditive(first, *(block.branch for block in others))
    assert not torch.equal(dense(x), stage(x))


def test_densely_additive_by_numbers():
    class Times(nn.Module):
        def __init__(self, factor):
            super().__init__()
            self.factor = factor

        def forward(self, x):
            return self.factor * x

    # 2, then 3 * 2, then 5 * (2 + 6)
    assert DenselyAdditive(Times(2), Times(3), Times(5))(1) == 2 + 6 + 40
    assert DenselyAdditive(Times(2))(1) == 2


@pytest.mark.parametrize('stride', [1, 2, 3])
@pytest.mark.parametrize('block', [BasicBlock, Bottleneck])
@pytest.mark.parametrize('family', ['SG-BSG', 'DANet-C'])
def test_make_stage(family, block, stride):
    wiring = FAMILIES[family]
    stage = make_stage(block, 3, 8, 4, stride, wiring, LAYERS['IF'])
    assert type(stage) is (DenselyAdditive if family == 'DANet-C' else nn.Sequential)
    assert [type(b) for b in stage] == [block] * 3
    width = 4 * block.expansion
    x = sample('binary', STEPS, 8, 10, 7)
    size = (-(-10 // stride), -(-7 // stride))
    for i, made in enumerate(stage):
        shapes = [
            (m.in_channels, m.out_channels, m.stride)
            for m in made.branch.modules()
            if isinstance(m, nn.Conv2d)
        ]
        assert shapes[0][0] == (8 if i == 0 else width)
        assert shapes[-1][1] == width
        strides = {(1, 1), (stride, stride)} if i == 0 else {(1, 1)}
        assert {s for _, _, s in shapes} == strides
        projects = i == 0 and (stride != 1 or width != 8)
        assert (made.projection is not None) == projects
    assert stage[0](x).shape == stage(x).shape == (STEPS, width, *size)


@pytest.mark.parametrize('stride', [1, 2, 3])
@pytest.mark.parametrize('block', [BasicBlock, Bottleneck])
@pytest.mark.parametrize('family', ['tdBN', 'SEW-ADD', 'PA-B'])
def test_avg_down(family, block, stride):
    shape = (block, 2, 8, 4, stride, FAMILIES[family], LAYERS['IF'])
    stage, plain = make_stage(*shape, avg_down=True), make_stage(*shape)
    projection = stage[0].projection.conv
    assert (projection.kernel_size, projection.stride) == ((1, 1), (1, 1))
    assert (stage[0].pool is None) == (stride == 1)
    assert stage[1].pool is None
    # no parameter more, and none elsewhere
    assert {k: p.shape for k, p in stage.state_dict().items()} == {
        k: p.shape for k, p in plain.state_dict().items()
    }
    stage.load_state_dict(plain.state_dict())
    x = sample('binary', STEPS * 2, 8, 9, 7)
    # sizes that are no multiple of the stride: windows end at the border
    pooled = F.avg_pool2d(x, stride, ceil_mode=True, count_include_pad=False)
    torch.testing.assert_close(stage[0].shortcut(x), stage[0].projection(pooled))
    assert stage(x).shape == plain(x).shape
    assert torch.equal(stage(x), plain(x)) == (stride == 1)


def test_avg_down_leaves_an_unprojected_shortcut_alone():
    block = BasicBlock(8, 8, 1, FAMILIES['tdBN'], LAYERS['IF'], avg_down=True)
    assert block.pool is None
    assert block.projection.order == 'N'


def test_pooling_at_an_odd_border_averages_what_is_there():
    block = BasicBlock(1, 1, 2, FAMILIES['PA-B'], LAYERS['IF'], avg_down=True)
    nn.init.ones_(block.projection.conv.weight)
    x = torch.arange(9.0).view(1, 1, 3, 3)
    expected = torch.tensor([[2.0, 3.5], [6.5, 8.0]])
    assert torch.equal(block.shortcut(x)[0, 0], expected)
