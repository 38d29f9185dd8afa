"""The lean backward pass equals autograd's through a naive loop."""

import pytest
import torch

from mmsnn.models.neurons import (
    IF,
    LIF,
    PLIF,
    ATan,
    Constant,
    Rectangular,
    Sigmoid,
    heaviside,
)

STEPS = 6
NEURONS = {
    'IF': (IF, {}),
    'LIF': (LIF, {'tau': 1.7}),
    'PLIF': (PLIF, {}),
    'LIF, whole input': (LIF, {'tau': 4 / 3, 'decay_input': False}),
    'PLIF, whole input': (PLIF, {'init_tau': 1.7, 'decay_input': False}),
}


def naive(x_seq, decay, neuron):
    """The equations as they are written, step by step, left to autograd."""
    rule = neuron.dynamics
    rest = rule.v_reset or 0.0
    v = torch.full_like(x_seq[0], rest)
    spikes = []
    for x in x_seq:
        if decay is None:
            h = v + x
        elif rule.decay_input:
            h = v + decay * (x - (v - rest))
        else:
            h = v + x - decay * (v - rest)
        s = heaviside(h - rule.v_threshold, rule.surrogate)
        r = s.detach() if rule.detach_reset else s
        if rule.v_reset is None:
            v = h - rule.v_threshold * r
        else:
            v = h * (1 - r) + rule.v_reset * r
        spikes.append(s)
    return torch.stack(spikes)


@pytest.mark.parametrize(
    'surrogate', [ATan(), Sigmoid(), Rectangular(0.7), Constant(0.7)]
)
@pytest.mark.parametrize('detach_reset', [False, True])
@pytest.mark.parametrize('v_reset', [0.0, None, -0.4, 0.2])
@pytest.mark.parametrize('name', NEURONS)
def test_equal_to_autograd(name, v_reset, detach_reset, surrogate):
    kind, options = NEURONS[name]
    neuron = kind(
        STEPS,
        v_threshold=0.8,
        v_reset=v_reset,
        detach_reset=detach_reset,
        surrogate=surrogate,
        **options,
    ).double()
    x = torch.randn(STEPS, 50, dtype=torch.float64, requires_grad=True)
    weight = torch.randn_like(x)
    inputs = [x, *neuron.parameters()]

    spikes = neuron(x)
    grads = torch.autograd.grad((spikes * weight).sum(), inputs)
    expected = naive(x, neuron.decay(), neuron)
    expected_grads = torch.autograd.grad((expected * weight).sum(), inputs)

    assert 0 < spikes.sum() < spikes.numel()
    assert torch.equal(spikes, expected)
    for grad, expected_grad in zip(grads, expected_grads, strict=True):
        torch.testing.assert_close(grad, expected_grad, atol=1e-10, rtol=1e-10)


@pytest.mark.parametrize('name', NEURONS)
@pytest.mark.parametrize('v_reset', [0.0, None, -0.3])
@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
def test_spikes_are_the_same_without_a_graph(name, v_reset, dtype):
    kind, options = NEURONS[name]
    neuron = kind(STEPS, v_reset=v_reset, **options)
    x = (torch.randn(STEPS, 500) * 2).to(dtype)
    with_graph = neuron(x.clone().requires_grad_())
    with torch.no_grad():
        without = neuron(x)
    with torch.inference_mode():
        inference = neuron(x)
    assert with_graph.requires_grad
    assert not without.requires_grad
    assert torch.equal(with_graph, without)
    assert torch.equal(with_graph, inference)


@pytest.mark.parametrize('name', NEURONS)
@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
def test_backward_keeps_one_fp32_potential_an_input(name, dtype):
    kind, options = NEURONS[name]
    neuron = kind(STEPS, **options)
    x = torch.randn(STEPS, 50).to(dtype).requires_grad_()
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda tensor: saved.append(tensor) or tensor, lambda tensor: tensor
    ):
        neuron(x).sum()
    elements = [tensor for tensor in saved if tensor.dim()]
    assert [(t.numel(), t.dtype) for t in elements] == [(x.numel(), torch.float32)]
    assert elements[0].untyped_storage().nbytes() == 4 * x.numel()


def test_nothing_is_kept_for_frozen_inputs():
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda tensor: saved.append(tensor) or tensor, lambda tensor: tensor
    ):
        IF(STEPS)(torch.randn(STEPS, 50))
    assert not saved
