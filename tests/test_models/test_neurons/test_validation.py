"""What a neuron refuses, and how it says so."""

import pytest
import torch

from mmsnn.models.neurons import IF, LIF, PLIF, build_neuron
from mmsnn.models.neurons.base import BaseNeuron


def test_integers_are_numbers():
    neuron = LIF(4, tau=2, v_threshold=1, v_reset=0)
    x = torch.randn(4, 30) * 3
    assert torch.equal(neuron(x), LIF(4, tau=2.0)(x))


def test_build():
    neuron = build_neuron(
        {'type': 'LIF', 'tau': 3.0, 'surrogate': {'type': 'Sigmoid'}}, num_steps=2
    )
    assert type(neuron) is LIF
    assert (neuron.num_steps, neuron.tau) == (2, 3.0)
    assert type(build_neuron({'type': PLIF}, 2)) is PLIF
    assert type(build_neuron({'type': 'mmsnn.IF'}, 2)) is IF


@pytest.mark.parametrize(
    ('cfg', 'message'),
    [
        ('IF', "dict with a type.*'IF'"),
        (None, 'dict with a type.*None'),
        ({'tau': 2.0}, 'dict with a type.*tau'),
        *(
            ({'type': kind}, f'one of .*IF, LIF, PLIF.* with its scope.*{kind}')
            for kind in ('IFF', 'mmsnn.IFF', 'nobody.IF', 'Rate')
        ),
        ({'type': 'IF', 'num_steps': 8}, 'must not set num_steps'),
        ({'type': 'IF', 'tau': 2.0}, "unexpected keyword argument 'tau'"),
        ({'type': 'IF', 'decay_input': False}, "argument 'decay_input'"),
    ],
)
def test_configs(cfg, message):
    with pytest.raises((TypeError, ValueError), match=message):
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
