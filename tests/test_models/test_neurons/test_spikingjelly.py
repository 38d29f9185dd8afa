"""Spikes and gradients equal SpikingJelly's."""

import pytest
import torch
from spikingjelly.activation_based import neuron as sj_neuron
from spikingjelly.activation_based import surrogate as sj_surrogate

from mmsnn.models.neurons import IF, LIF, PLIF, ATan, Rectangular, Sigmoid

STEPS = 5
NEURONS = {
    'IF': (IF, sj_neuron.IFNode, {}),
    'LIF': (LIF, sj_neuron.LIFNode, {'tau': 1.7}),
    'PLIF': (PLIF, sj_neuron.ParametricLIFNode, {'init_tau': 1.7}),
    'LIF, whole input': (
        LIF,
        sj_neuron.LIFNode,
        {'tau': 4 / 3, 'decay_input': False},
    ),
    'PLIF, whole input': (
        PLIF,
        sj_neuron.ParametricLIFNode,
        {'init_tau': 1.7, 'decay_input': False},
    ),
}
SURROGATES = {
    'ATan': (ATan(), sj_surrogate.ATan()),
    'ATan sharp': (ATan(5.0), sj_surrogate.ATan(alpha=5.0)),
    'Sigmoid': (Sigmoid(), sj_surrogate.Sigmoid()),
    'Sigmoid flat': (Sigmoid(1.0), sj_surrogate.Sigmoid(alpha=1.0)),
    'Rectangular': (Rectangular(), sj_surrogate.Rect()),
    'Rectangular narrow': (Rectangular(2.0), sj_surrogate.Rect(alpha=2.0)),
}


def run(neuron, x, weight):
    x = x.clone().requires_grad_()
    spikes = neuron(x)
    (spikes * weight).sum().backward()
    w = neuron.w.grad if hasattr(neuron, 'w') else None
    return spikes.detach(), x.grad, w


@pytest.mark.parametrize('detach_reset', [False, True])
@pytest.mark.parametrize('v_reset', [0.0, None, -0.5])
@pytest.mark.parametrize('surrogate', SURROGATES)
@pytest.mark.parametrize('name', NEURONS)
def test_equal(name, surrogate, v_reset, detach_reset):
    ours, theirs, options = NEURONS[name]
    our_surrogate, their_surrogate = SURROGATES[surrogate]
    # other thresholds with other resets
    v_threshold = {0.0: 1.0, None: 0.4, -0.5: 2.5}[v_reset]
    options = dict(
        options, v_threshold=v_threshold, v_reset=v_reset, detach_reset=detach_reset
    )
    our_neuron = ours(STEPS, surrogate=our_surrogate, **options)
    their_neuron = theirs(surrogate_function=their_surrogate, step_mode='m', **options)
    x = torch.randn(STEPS, 3, 4, 6, 6) * 2
    weight = torch.randn_like(x)

    spikes, grad, w = run(their_neuron, x, weight)
    our_spikes, our_grad, our_w = run(our_neuron, x.flatten(0, 1), weight.flatten(0, 1))

    assert 0.005 < spikes.mean() < 0.9
    assert torch.equal(our_spikes.view_as(x), spikes)
    torch.testing.assert_close(our_grad.view_as(x), grad, atol=1e-5, rtol=1e-5)
    if w is not None:
        # a sum over 2160 terms of both signs: relative to their size, not to the sum's
        assert w != 0
        torch.testing.assert_close(our_w, w, atol=1e-5 * x.numel() ** 0.5, rtol=1e-5)
