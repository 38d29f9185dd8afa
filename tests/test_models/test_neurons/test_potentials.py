"""Membrane potentials before the reset, which make a neuron's spikes."""

import pytest
import torch

from mmsnn.models.neurons import IF, LIF, PLIF

STEPS = 5
NEURONS = {
    'IF': (IF, {}),
    'LIF': (LIF, {'tau': 1.7}),
    'PLIF': (PLIF, {'init_tau': 3.0}),
    'LIF, whole input': (LIF, {'decay_input': False}),
    'PLIF, whole input': (PLIF, {'decay_input': False}),
}
RESETS = pytest.mark.parametrize('v_reset', [0.0, -0.3, None])


@pytest.mark.parametrize('name', NEURONS)
@RESETS
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64, torch.bfloat16])
def test_they_make_the_spikes(name, v_reset, dtype):
    kind, options = NEURONS[name]
    neuron = kind(STEPS, v_threshold=0.8, v_reset=v_reset, **options)
    x = (4 * torch.rand(STEPS * 2, 3, 4, 4) - 0.5).to(dtype).requires_grad_()
    before = x.detach().clone()
    h = neuron.potentials(x)
    spikes = neuron(x)
    assert h.shape == x.shape
    assert h.dtype == torch.promote_types(dtype, torch.float32)
    assert not h.requires_grad
    assert torch.equal((h >= 0.8).to(dtype), spikes)
    assert 0.05 < spikes.float().mean() < 0.95
    assert torch.equal(x, before)


@pytest.mark.parametrize(
    ('neuron', 'expected'),
    [
        # currents 0.75, 0.5, 0.25, 1.0 at threshold 1
        (IF(4), [0.75, 1.25, 0.25, 1.25]),
        (IF(4, v_reset=None), [0.75, 1.25, 0.5, 1.5]),
        (LIF(4, tau=2.0), [0.375, 0.4375, 0.34375, 0.671875]),
        (LIF(4, tau=2.0, decay_input=False), [0.75, 0.875, 0.6875, 1.34375]),
    ],
    ids=['IF', 'IF, soft reset', 'LIF', 'LIF, whole input'],
)
def test_by_hand(neuron, expected):
    x = torch.tensor([0.75, 0.5, 0.25, 1.0])
    assert neuron.potentials(x).tolist() == expected
