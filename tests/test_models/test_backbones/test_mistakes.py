"""What the spiking ResNets refuse, and how they say so."""

import math
import re

import pytest

from mmsnn.models import (
    FAMILIES,
    DANet,
    MSResNet,
    ResNetSNN,
    SEWResNet,
    SGResNet,
    SpikingResNet,
)

ENTRIES = [DANet, MSResNet, SEWResNet, SGResNet, SpikingResNet]


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
