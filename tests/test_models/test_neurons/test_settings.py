"""How neurons are built, what their settings mean, and what is refused."""

import pytest
import torch

from mmsnn.models.neurons import IF, LIF, PLIF, build_neuron


def test_build():
    neuron = build_neuron(
        {'type': 'LIF', 'tau': 3.0, 'surrogate': {'type': 'Sigmoid'}}, num_steps=2
    )
    assert type(neuron) is LIF
    assert (neuron.num_steps, neuron.tau) == (2, 3.0)
    assert type(build_neuron({'type': PLIF}, 2)) is PLIF
    assert type(build_neuron({'type': 'mmsnn.IF'}, 2)) is IF
    x = torch.randn(4, 30) * 3
    whole = LIF(4, tau=2, v_threshold=1, v_reset=0)  # integers are numbers
    assert torch.equal(whole(x), LIF(4, tau=2.0)(x))


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
def test_mistakes(cfg, message):
    with pytest.raises((TypeError, ValueError), match=message):
        build_neuron(cfg, num_steps=4)


def test_settings_show_in_the_printed_model():
    shown = str(LIF(4, tau=3.0, v_reset=None))
    for setting in ('tau=3.0', 'v_reset=None', 'decay_input=True'):
        assert setting in shown
    assert 'tau=3,' in str(PLIF(4, init_tau=3.0))
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
    neuron = kind(20, v_threshold=0.7, v_reset=v_reset, **options)
    current = neuron.firing_current()
    assert neuron(torch.full((20, 3), current, dtype=dtype)).all()
    # 2 % less do not suffice at the first step
    assert not neuron(torch.full((20, 3), 0.98 * current))[0].any()
