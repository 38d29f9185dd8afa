"""What holds for the backbones of every family, with both kinds of block."""

import copy
import io

import pytest
import torch

from mmsnn.models import FAMILIES, ResNetSNN
from mmsnn.models.backbones.resnet import ARCHITECTURES
from mmsnn.models.residual import BasicBlock, Bottleneck, ResidualBlock

from ..helpers import FAMILY_ENTRIES, make_backbone
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


def test_every_family_is_tested():
    assert set(FAMILY_ENTRIES) == set(FAMILIES)
    assert set(BLOCKS) == set(ARCHITECTURES)


@pytest.fixture(
    scope='module', params=BOTH_BLOCKS, ids=lambda case: f'{case[0]}-{case[1]}'
)
def backbone(request):
    """A backbone of each family and kind of block, in evaluation mode.

    In double precision: the batch size changes the order of a convolution's sums.
    """
    torch.manual_seed(0)
    return make_active(*request.param).eval().double()


def images(count=2, size=64):
    return torch.randn(count, 3, size, size, dtype=torch.float64)


@torch.no_grad()
def features(backbone, image):
    levels = backbone(image)
    assert all(level.any() for level in levels)
    return levels


def equal(levels, others):
    return all(torch.equal(a, b) for a, b in zip(levels, others, strict=True))


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


# DANet-A and B are PA-A and B
ROWS = [name for name in FAMILIES if name not in ('DANet-A', 'DANet-B')]


@pytest.mark.parametrize('depth', BLOCKS)
@pytest.mark.parametrize('family', ROWS)
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


OUT_INDICES = [('SG-BSG', 18, i) for i in ((0,), (3,), (1, 2, 3), (0, 1, 2, 3))]


@pytest.mark.parametrize(
    ('family', 'depth', 'out_indices'),
    [*OUT_INDICES, *((*case, [0, 2]) for case in BOTH_BLOCKS)],
)
def test_out_indices(family, depth, out_indices):
    every = make_active(family, depth).eval()
    some = make_backbone(family, depth, out_indices=out_indices).eval()
    # what is not returned is not built
    assert len(some.stages) == out_indices[-1] + 1
    assert list(some.closings) == [str(i) for i in out_indices]
    state = every.state_dict()
    some.load_state_dict({name: state[name] for name in some.state_dict()})
    image = torch.randn(2, 3, 64, 64)
    levels, expected = features(some, image), features(every, image)
    assert isinstance(levels, tuple)
    assert some.out_channels == tuple(every.out_channels[i] for i in out_indices)
    sizes = [16, 8, 4, 2]
    for level, index in zip(levels, out_indices, strict=True):
        width = 8 * 2**index * BLOCKS[depth][0].expansion
        assert level.shape == (2, 2, width, sizes[index], sizes[index])
        assert torch.equal(level, expected[index])


def test_two_calls_agree(backbone):
    image = images()
    expected = features(backbone, image)
    features(backbone, images(3, size=96))
    assert equal(features(backbone, image), expected)


def test_batches_do_not_mix(backbone):
    image = images(3)
    together = features(backbone, image)
    for i in range(3):
        alone = backbone(image[i : i + 1])
        assert equal(alone, [level[:, i : i + 1] for level in together])


def test_copies_and_checkpoints(backbone):
    image = images()
    expected = features(backbone, image)
    assert equal(features(copy.deepcopy(backbone), image), expected)

    other = copy.deepcopy(backbone)
    with torch.no_grad():
        for value in [*other.parameters(), *other.buffers()]:
            value.zero_()
    file = io.BytesIO()
    torch.save(backbone.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True), strict=True)
    assert equal(features(other, image), expected)


def test_frames_have_a_time_of_their_own(backbone):
    image = images()
    # an image is shown at every step
    repeated = image.unsqueeze(1).expand(-1, 2, -1, -1, -1)
    expected = features(backbone, image)
    assert equal(features(backbone, repeated), expected)

    frames = torch.stack([image, images()], dim=1)
    levels = features(backbone, frames)
    assert [level.shape for level in levels] == [level.shape for level in expected]
    # what comes later changes only what comes later
    for level, level_of_image in zip(levels, expected, strict=True):
        assert torch.equal(level[0], level_of_image[0])
        assert not torch.equal(level[1], level_of_image[1])


def test_frames_are_trained_on():
    # the same statistics, over T times as many values
    image = images()
    backbone = make_backbone('SG-BSG*', 18).double()
    levels = backbone(image)
    frames = image.unsqueeze(1).repeat(1, 2, 1, 1, 1).requires_grad_()
    again = backbone(frames)
    assert equal(again, levels)
    sum(level.sum() for level in again).backward()
    assert frames.grad[:, 0].any()
    assert frames.grad[:, 1].any()
