"""Values, shapes and building of the spiking ResNets."""

import re

import pytest
import torch
from torch import nn

from mmsnn.models import FAMILIES, ResNetSNN, SEWResNet, SGResNet
from mmsnn.models.residual import LearnedGateMerge

from ..helpers import FAMILY_ENTRIES, SMALL, calibrate, make_backbone

BINARY = [name for name in FAMILY_ENTRIES if name != 'SEW-ADD']


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('depth', [10, 18, 34, 50])
@pytest.mark.parametrize('family', BINARY)
def test_features_are_binary(family, depth, training):
    backbone = make_backbone(family, depth)
    image = torch.randn(2, 3, 64, 64)
    levels = calibrate(backbone, image).train(training)(image)
    assert len(levels) == 4
    for level in levels:
        assert set(level.unique().tolist()) <= {0.0, 1.0}
    # AND silences deep networks at the start; the others fire at every level
    for level in levels[:1] if family == 'SEW-AND' else levels:
        assert level.any()


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('depth', [10, 18, 34, 50])
def test_sew_add_features_are_integers(depth, training):
    backbone = make_backbone('SEW-ADD', depth)
    image = torch.randn(2, 3, 64, 64)
    levels = calibrate(backbone, image).train(training)(image)
    for level in levels:
        assert torch.equal(level, level.round())
        assert level.min() == 0
    assert max(level.max() for level in levels) > 1


@pytest.mark.parametrize('depth', [10, 50])
@pytest.mark.parametrize(
    ('stem', 'sizes'),
    [
        ('imagenet', [(17, 25), (9, 13), (5, 7), (3, 4)]),
        ('cifar', [(65, 97), (33, 49), (17, 25), (9, 13)]),
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


@pytest.mark.parametrize('out_indices', [(0,), (3,), (1, 2, 3), [0, 2], (0, 1, 2, 3)])
def test_out_indices(out_indices):
    every = make_backbone().eval()
    some = make_backbone(out_indices=out_indices).eval()
    # what is not returned is not built
    assert len(some.stages) == out_indices[-1] + 1
    state = every.state_dict()
    some.load_state_dict({name: state[name] for name in some.state_dict()})
    image = torch.randn(2, 3, 32, 32)
    levels, expected = some(image), every(image)
    assert isinstance(levels, tuple)
    assert len(levels) == len(out_indices)
    assert some.out_channels == tuple(every.out_channels[i] for i in out_indices)
    for level, index in zip(levels, out_indices, strict=True):
        assert torch.equal(level, expected[index])


def test_the_last_stage_is_the_default_output():
    assert SGResNet(10, base_channels=4).out_channels == (32,)


@pytest.mark.parametrize(
    ('depth', 'blocks'), [(10, [1, 1, 1, 1]), (34, [3, 4, 6, 3]), (101, [3, 4, 23, 3])]
)
def test_blocks(depth, blocks):
    backbone = SGResNet(depth, base_channels=4, out_indices=(0, 1, 2, 3))
    assert [len(stage) for stage in backbone.stages] == blocks


@pytest.mark.parametrize('family', FAMILY_ENTRIES)
def test_named_entries_are_rows_of_the_table(family):
    named = make_backbone(family).eval()
    generic = ResNetSNN(10, family, **SMALL).eval()
    generic.load_state_dict(named.state_dict())
    merge = FAMILIES[family].merge
    merges = {type(block.merge) for stage in named.stages for block in stage}
    assert merges == {merge}
    image = torch.randn(1, 3, 32, 32)
    for ours, theirs in zip(named(image), generic(image), strict=True):
        assert torch.equal(ours, theirs)


def test_a_wiring_of_ones_own():
    backbone = ResNetSNN(10, FAMILIES['SG-BSG'], **SMALL)
    assert len(backbone(torch.randn(1, 3, 32, 32))) == 4


def test_gate_threshold():
    backbone = SGResNet(10, gate='BSG*', gate_threshold=0.25, base_channels=4)
    merges = [m for m in backbone.modules() if isinstance(m, LearnedGateMerge)]
    assert len(merges) == 4
    assert {merge.threshold for merge in merges} == {0.25}


def test_grey_images_and_channels():
    backbone = make_backbone(in_channels=1)
    assert len(backbone(torch.randn(1, 1, 32, 32))) == 4


def test_features_are_channels_last():
    for level in make_backbone()(torch.randn(2, 3, 64, 64)):
        assert level.flatten(0, 1).is_contiguous(memory_format=torch.channels_last)


def test_the_time_step_matters():
    # neurons integrate: the first step is not the others
    level = make_backbone(num_steps=4)(torch.randn(2, 3, 64, 64))[0]
    assert not torch.equal(level[0], level[1])


def test_neuron_norm_and_convolution_configs():
    backbone = make_backbone(
        neuron={'type': 'PLIF', 'init_tau': 1.5, 'v_reset': None},
        norm_cfg={'type': 'GN', 'num_groups': 4},
        conv_cfg={'type': 'ConvWS'},
    )
    names = {type(m).__name__ for m in backbone.modules()}
    assert {'PLIF', 'GroupNorm', 'ConvWS2d'} <= names
    assert not names & {'IF', 'BatchNorm2d', 'Conv2d'}
    for level in backbone(torch.randn(2, 3, 32, 32)):
        assert set(level.unique().tolist()) <= {0.0, 1.0}


def test_sync_bn_builds():
    backbone = make_backbone(norm_cfg={'type': 'SyncBN', 'requires_grad': True})
    norms = [m for m in backbone.modules() if isinstance(m, nn.SyncBatchNorm)]
    assert len(norms) == 1 + 4 * 2 + 3
    assert len(backbone.eval()(torch.randn(1, 3, 32, 32))) == 4


MISTAKES = [
    (
        {'depth': 20},
        ValueError,
        'depth must be one of 10, 18, 34, 50, 101, 152, but got',
    ),
    ({'depth': '18'}, ValueError, "but got '18'"),
    ({'num_steps': 0}, ValueError, 'num_steps must be at least 1, but got 0'),
    (
        {'num_steps': 4.0},
        TypeError,
        'num_steps must be an integer, but got 4.0 (float)',
    ),
    ({'in_channels': 0}, ValueError, 'in_channels must be at least 1, but got 0'),
    ({'base_channels': -8}, ValueError, 'base_channels must be at least 1, but got -8'),
    (
        {'out_indices': ()},
        ValueError,
        'out_indices must name stages 0 to 3, but got ()',
    ),
    ({'out_indices': (4,)}, ValueError, 'must name stages 0 to 3, but got (4,)'),
    ({'out_indices': (-1,)}, ValueError, 'must name stages 0 to 3, but got (-1,)'),
    ({'out_indices': (1.0,)}, ValueError, 'must name stages 0 to 3, but got (1.0,)'),
    ({'out_indices': (True,)}, ValueError, 'must name stages 0 to 3, but got (True,)'),
    (
        {'out_indices': (2, 1)},
        ValueError,
        'must ascend without repeats, but got (2, 1)',
    ),
    (
        {'out_indices': (1, 1)},
        ValueError,
        'must ascend without repeats, but got (1, 1)',
    ),
    ({'out_indices': 3}, TypeError, 'must be a sequence of stages, but got 3 (int)'),
    (
        {'out_indices': '3'},
        TypeError,
        "must be a sequence of stages, but got '3' (str)",
    ),
    (
        {'frozen_stages': 5},
        ValueError,
        'frozen_stages must be -1 to 4, the stages that',
    ),
    ({'frozen_stages': -2}, ValueError, 'but got -2'),
    ({'frozen_stages': True}, TypeError, 'must be an integer, but got True (bool)'),
    ({'norm_eval': 1}, TypeError, 'norm_eval must be a bool, but got 1 (int)'),
    (
        {'zero_init_residual': None},
        TypeError,
        'zero_init_residual must be a bool, but got None',
    ),
    ({'out_indices': (1,), 'frozen_stages': 3}, ValueError, 'must be -1 to 2, the'),
    ({'stem': 'resnet'}, ValueError, 'stem must be one of imagenet, cifar, but got'),
    (
        {'neuron': {'type': 'IFF'}},
        ValueError,
        'neuron type must be one of IF, LIF, PLIF',
    ),
    ({'neuron': 'IF'}, TypeError, "neuron must be a dict with a type, but got 'IF'"),
    (
        {'norm_cfg': None},
        TypeError,
        'norm_cfg must be a dict with a type, but got None',
    ),
]


@pytest.mark.parametrize('entry', [SGResNet, SEWResNet])
@pytest.mark.parametrize(('options', 'error', 'message'), MISTAKES)
def test_mistakes(entry, options, error, message):
    with pytest.raises(error, match=re.escape(message)):
        entry(**{'depth': 10, 'base_channels': 4, 'out_indices': (0, 3), **options})


@pytest.mark.parametrize(
    ('build', 'message'),
    [
        (
            lambda: SGResNet(10, gate='bgs'),
            "gate must be one of BSG, BSG*, but got 'bgs'",
        ),
        (lambda: SEWResNet(10, 'OR'), "must be one of ADD, AND, IAND, but got 'OR'"),
        (lambda: ResNetSNN(10, 'SG'), 'SEW-IAND, SG-BSG, SG-BSG*, but got'),
        (
            lambda: SGResNet(10, 'BSG*', gate_threshold=1.5),
            'gate_threshold must be in (0, 1], but got 1.5',
        ),
    ],
)
def test_family_mistakes(build, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        build()


@pytest.mark.parametrize('shape', [(2, 1, 32, 32), (3, 32, 32), (4, 2, 3, 32, 32)])
def test_images_that_do_not_fit(shape):
    message = f'expected images of shape [N, 3, H, W], but got {list(shape)}'
    with pytest.raises(ValueError, match=re.escape(message)):
        make_backbone()(torch.randn(shape))
