"""What the spiking ResNets refuse, and how they say so."""

import math
import re

import pytest
import torch

from mmsnn.models import (
    FAMILIES,
    DANet,
    MSResNet,
    ResNetSNN,
    SEWResNet,
    SGResNet,
    SpikingResNet,
)

from ..helpers import make_backbone

MISTAKES = [
    (
        {'depth': 20},
        ValueError,
        'depth must be one of 10, 18, 19, 34, 50, 101, 104, 152, but got',
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
    (
        {'stem': 'resnet'},
        ValueError,
        'stem must be one of imagenet, cifar, ms, ms104, gac, gac-cifar, gac104, but',
    ),
    ({'strides': 2}, TypeError, 'strides must be a sequence of integers, but got 2'),
    ({'strides': '1222'}, TypeError, "a sequence of integers, but got '1222' (str)"),
    (
        {'strides': (1, 2, 2)},
        ValueError,
        'strides must have 4 entries, one a stage, but got [1, 2, 2]',
    ),
    (
        {'strides': (1, 2, 0, 2)},
        ValueError,
        'strides must be at least 1, but got 0',
    ),
    (
        {'strides': (1, 2, 2.0, 2)},
        TypeError,
        'strides must be an integer, but got 2.0 (float)',
    ),
    ({'avg_down': 1}, TypeError, 'avg_down must be a bool, but got 1 (int)'),
    (
        {'neuron': {'type': 'IFF'}},
        ValueError,
        'neuron type must be one of ILIF, IF, LIF, PLIF',
    ),
    ({'neuron': 'IF'}, TypeError, "neuron must be a dict with a type, but got 'IF'"),
    (
        {'norm_cfg': None},
        TypeError,
        'norm_cfg must be a dict with a type, but got None',
    ),
]


ENTRIES = [DANet, MSResNet, SEWResNet, SGResNet, SpikingResNet]


@pytest.mark.parametrize('entry', ENTRIES)
@pytest.mark.parametrize(('options', 'error', 'message'), MISTAKES)
def test_mistakes(entry, options, error, message):
    with pytest.raises(error, match=re.escape(message)):
        entry(**{'depth': 10, 'base_channels': 4, 'out_indices': (0, 3), **options})


@pytest.mark.parametrize('entry', ENTRIES)
def test_unknown_arguments(entry):
    for options in ({'num_step': 4}, {'dropuot': 0.5}):
        (name,) = options
        with pytest.raises(TypeError, match=f"unexpected keyword argument '{name}'"):
            entry(10, base_channels=4, **options)
    # the name of the network is its family
    with pytest.raises(TypeError, match="multiple values for argument 'family'"):
        entry(10, base_channels=4, family='plain')


@pytest.mark.parametrize(
    ('entry', 'options', 'error', 'message'),
    [
        (
            SpikingResNet,
            {'connect': 'origin'},
            ValueError,
            "connect must be one of Origin, tdBN, BAA, but got 'origin'",
        ),
        (
            SEWResNet,
            {'connect': 'OR'},
            ValueError,
            "connect must be one of ADD, AND, IAND, but got 'OR'",
        ),
        (
            SGResNet,
            {'gate': 'bgs'},
            ValueError,
            "gate must be one of BSG, BSG*, but got 'bgs'",
        ),
        (
            SGResNet,
            {'gate': 'BSG*', 'gate_threshold': 1.5},
            ValueError,
            'gate_threshold must be in (0, 1], but got 1.5',
        ),
        (
            DANet,
            {'variant': 'E'},
            ValueError,
            "variant must be one of A, B, C, D, but got 'E'",
        ),
        (DANet, {'variant': None}, ValueError, 'one of A, B, C, D, but got None'),
        (
            ResNetSNN,
            {'family': 'SG'},
            ValueError,
            'family must be one of ' + ', '.join(FAMILIES) + ", but got 'SG'",
        ),
        (
            ResNetSNN,
            {'family': 'plain', 'zero_init_residual': True},
            ValueError,
            'zero_init_residual needs shortcuts, which the plain family has not',
        ),
        (
            ResNetSNN,
            {'family': 'tdBN', 'norm_cfg': {'type': 'BN', 'affine': False}},
            ValueError,
            'norms that have a weight and a bias, but got BatchNorm2d',
        ),
        (MSResNet, {'dropout': 1.0}, ValueError, 'must be in [0, 1), but got 1.0'),
        (
            MSResNet,
            {'dropout': 0.2, 'out_indices': (0, 1)},
            ValueError,
            'dropout is that of the last stage, 3, which out_indices (0, 1) leave out',
        ),
        (
            MSResNet,
            {'layout': 'mnist'},
            ValueError,
            "layout must be one of imagenet, cifar, but got 'mnist'",
        ),
        (
            MSResNet,
            {'layout': 'cifar'},
            ValueError,
            "layout='cifar' has depth 18 alone, but got 10",
        ),
        (MSResNet, {'dropout': -0.1}, ValueError, 'must be in [0, 1), but got -0.1'),
        (MSResNet, {'dropout': math.nan}, ValueError, 'dropout must be finite'),
        (MSResNet, {'dropout': '0.2'}, TypeError, 'dropout must be a number, but got'),
        (MSResNet, {'dropout': True}, TypeError, 'dropout must be a number, but got'),
        (MSResNet, {'dropout': None}, TypeError, 'dropout must be a number, but got'),
    ],
)
def test_family_mistakes(entry, options, error, message):
    # v_threshold: tdBN leaves norms of weight 1 alone
    options = {'neuron': {'type': 'IF', 'v_threshold': 0.5}, **options}
    with pytest.raises(error, match=re.escape(message)):
        entry(10, base_channels=4, **options)


@pytest.mark.parametrize(
    'shape',
    [
        (2, 1, 32, 32),  # a grey image
        (3, 32, 32),  # no batch
        (4, 3, 3, 32, 32),  # frames of another T
        (2, 4, 3, 32, 32),  # time first
        (4, 2, 1, 32, 32),  # grey frames
        (1, 4, 2, 3, 32, 32),
    ],
)
def test_images_that_do_not_fit(shape):
    message = (
        'expected images of shape [N, 3, H, W] or frames of shape [N, 2, 3, H, W], '
        f'but got {list(shape)}'
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        make_backbone()(torch.randn(shape))
