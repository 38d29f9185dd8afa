"""What a neuron refuses, and how it says so."""

import math
import re

import pytest
import torch

from mmsnn.models.neurons import IF, LIF, PLIF, build_neuron
from mmsnn.models.neurons.base import BaseNeuron

MISTAKES = [
    ({'num_steps': 0}, ValueError, 'num_steps must be at least 1, but got 0'),
    ({'num_steps': -4}, ValueError, 'num_steps must be at least 1, but got -4'),
    (
        {'num_steps': 4.0},
        TypeError,
        'num_steps must be an integer, but got 4.0 (float)',
    ),
    ({'num_steps': '4'}, TypeError, "num_steps must be an integer, but got '4' (str)"),
    ({'num_steps': True}, TypeError, 'num_steps must be an integer, but got True'),
    ({'v_threshold': 0}, ValueError, 'v_threshold must be positive, but got 0'),
    ({'v_threshold': -1.0}, ValueError, 'v_threshold must be positive, but got -1.0'),
    ({'v_threshold': math.nan}, ValueError, 'v_threshold must be finite, but got nan'),
    ({'v_threshold': True}, TypeError, 'v_threshold must be a number, but got True'),
    ({'v_threshold': None}, TypeError, 'v_threshold must be a number, but got None'),
    (
        {'v_reset': 1.0},
        ValueError,
        'v_reset must be below v_threshold (1.0), but got 1',
    ),
    ({'v_reset': 2}, ValueError, 'v_reset must be below v_threshold (1.0), but got 2'),
    ({'v_reset': math.nan}, ValueError, 'v_reset must be finite, but got nan'),
    ({'v_reset': -math.inf}, ValueError, 'v_reset must be finite, but got -inf'),
    ({'v_reset': False}, TypeError, 'v_reset must be a number, but got False'),
    ({'v_reset': '0'}, TypeError, "v_reset must be a number, but got '0' (str)"),
    ({'detach_reset': 1}, TypeError, 'detach_reset must be a bool, but got 1 (int)'),
    ({'detach_reset': None}, TypeError, 'detach_reset must be a bool, but got None'),
    ({'surrogate': 'ATan'}, TypeError, 'surrogate must be a dict with a type'),
    (
        {'surrogate': {'type': 'Tanh'}},
        ValueError,
        'ATan, Sigmoid, Rectangular, Constant, but got',
    ),
]
LEAK_MISTAKES = [
    (LIF, {'tau': 0.99}, ValueError, 'tau must be at least 1, but got 0.99'),
    (LIF, {'tau': math.nan}, ValueError, 'tau must be finite, but got nan'),
    (LIF, {'tau': math.inf}, ValueError, 'tau must be finite, but got inf'),
    (LIF, {'tau': '2'}, TypeError, "tau must be a number, but got '2' (str)"),
    (LIF, {'tau': True}, TypeError, 'tau must be a number, but got True (bool)'),
    (PLIF, {'init_tau': 1.0}, ValueError, 'init_tau must be above 1, but got 1.0'),
    (PLIF, {'init_tau': 0.5}, ValueError, 'init_tau must be above 1, but got 0.5'),
    (PLIF, {'init_tau': math.nan}, ValueError, 'init_tau must be finite, but got nan'),
    (PLIF, {'init_tau': None}, TypeError, 'init_tau must be a number, but got None'),
    (LIF, {'decay_input': 1}, TypeError, 'decay_input must be a bool, but got 1 (int)'),
    (LIF, {'decay_input': None}, TypeError, 'decay_input must be a bool, but got None'),
    (PLIF, {'decay_input': 0.0}, TypeError, 'decay_input must be a bool, but got 0.0'),
]


@pytest.mark.parametrize(('options', 'error', 'message'), MISTAKES)
@pytest.mark.parametrize('kind', [IF, LIF, PLIF])
def test_arguments(kind, options, error, message):
    with pytest.raises(error, match=re.escape(message)):
        kind(**{'num_steps': 4, **options})


@pytest.mark.parametrize(('kind', 'options', 'error', 'message'), LEAK_MISTAKES)
def test_leaks(kind, options, error, message):
    with pytest.raises(error, match=re.escape(message)):
        kind(4, **options)


def test_integers_are_numbers():
    neuron = LIF(4, tau=2, v_threshold=1, v_reset=0)
    x = torch.randn(4, 30) * 3
    assert torch.equal(neuron(x), LIF(4, tau=2.0)(x))


@pytest.mark.parametrize(
    'shape', [(5,), (6, 3), (2, 4), (0,), (0, 3), ()], ids=lambda shape: str(shape)
)
@pytest.mark.parametrize('kind', [IF, LIF, PLIF])
def test_first_dimension(kind, shape):
    message = (
        'the first dimension must be a multiple of num_steps=4, '
        f'but got shape {tuple(shape)}'
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        kind(4)(torch.zeros(shape))


@pytest.mark.parametrize('dtype', [torch.int64, torch.uint8, torch.bool])
@pytest.mark.parametrize('kind', [IF, LIF, PLIF])
def test_integer_tensors(kind, dtype):
    message = f'neurons take floating tensors, but got {dtype}'
    with pytest.raises(TypeError, match=re.escape(message)):
        kind(4)(torch.ones(4, 2, dtype=dtype))


def test_build():
    neuron = build_neuron(
        {'type': 'LIF', 'tau': 3.0, 'surrogate': {'type': 'Sigmoid'}}, num_steps=2
    )
    assert type(neuron) is LIF
    assert (neuron.num_steps, neuron.tau) == (2, 3.0)
    assert type(build_neuron({'type': PLIF}, 2)) is PLIF
    assert type(build_neuron({'type': 'mmsnn.IF'}, 2)) is IF


@pytest.mark.parametrize(
    ('cfg', 'error', 'message'),
    [
        ('IF', TypeError, "neuron must be a dict with a type, but got 'IF' (str)"),
        (None, TypeError, 'neuron must be a dict with a type, but got None'),
        ({}, TypeError, 'neuron must be a dict with a type, but got {}'),
        ({'tau': 2.0}, TypeError, "a dict with a type, but got {'tau': 2.0} (dict)"),
        (
            {'type': 'IFF'},
            ValueError,
            'neuron type must be one of ILIF, IF, LIF, PLIF, or a registered type with '
            "its scope, but got 'IFF'",
        ),
        ({'type': 'mmsnn.IFF'}, ValueError, "with its scope, but got 'mmsnn.IFF'"),
        ({'type': 'nobody.IF'}, ValueError, "with its scope, but got 'nobody.IF'"),
        ({'type': 'Rate'}, ValueError, "with its scope, but got 'Rate'"),
        (
            {'type': 'IF', 'num_steps': 8},
            ValueError,
            'neuron config must not set num_steps: the network does',
        ),
        ({'type': 'IF', 'v_th': 1.0}, TypeError, "unexpected keyword argument 'v_th'"),
        ({'type': 'IF', 'tau': 2.0}, TypeError, "unexpected keyword argument 'tau'"),
        (
            {'type': 'IF', 'decay_input': False},
            TypeError,
            "unexpected keyword argument 'decay_input'",
        ),
        ({'type': 'LIF', 'tau': 0.5}, ValueError, 'tau must be at least 1'),
    ],
)
def test_configs(cfg, error, message):
    with pytest.raises(error, match=re.escape(message)):
        build_neuron(cfg, num_steps=4)


def test_settings_show_in_the_printed_model():
    shown = str(LIF(4, tau=3.0, v_reset=None))
    assert 'tau=3.0' in shown
    assert 'num_steps=4' in shown
    assert 'v_reset=None' in shown
    assert 'tau=3,' in str(PLIF(4, init_tau=3.0))
    assert 'decay_input=True' in shown
    assert 'decay_input=False' in str(LIF(4, decay_input=False))


@pytest.mark.parametrize('v_reset', [0.0, None, -2.0])
@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    ('kind', 'options'),
    [
        (IF, {}),
        (LIF, {'tau': 1.7}),
        (LIF, {'tau': 30.0}),
        (LIF, {'tau': 30.0, 'decay_input': False}),
        (PLIF, {'init_tau': 3.3}),
        (PLIF, {'init_tau': 3.3, 'decay_input': False}),
    ],
)
def test_firing_current(kind, options, dtype, v_reset):
    neuron: BaseNeuron = kind(20, v_threshold=0.7, v_reset=v_reset, **options)
    current = neuron.firing_current()
    assert neuron(torch.full((20, 3), current, dtype=dtype)).all()
    # and it is about the least: 2 % less do not suffice at the first step
    assert not neuron(torch.full((20, 3), 0.98 * current))[0].any()
