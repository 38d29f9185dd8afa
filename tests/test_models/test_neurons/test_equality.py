"""Spikes and gradients equal SpikingJelly's and those of a naive loop."""

import pytest
import torch
from spikingjelly.activation_based import neuron as sj_neuron
from spikingjelly.activation_based import surrogate as sj_surrogate

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
from mmsnn.ops import native

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
SURROGATES = [
    (ATan(), sj_surrogate.ATan()),
    (ATan(5.0), sj_surrogate.ATan(alpha=5.0)),
    (Sigmoid(), sj_surrogate.Sigmoid()),
    (Sigmoid(1.0), sj_surrogate.Sigmoid(alpha=1.0)),
    (Rectangular(), sj_surrogate.Rect()),
    (Rectangular(2.0), sj_surrogate.Rect(alpha=2.0)),
]
EVERY = pytest.mark.parametrize('name', NEURONS)
DETACH = pytest.mark.parametrize('detach_reset', [False, True])


def make(name, **options):
    kind, _, own = NEURONS[name]
    return kind(STEPS, **own, **options)


def run(neuron, x, weight):
    """Return spikes and gradients with respect to input and parameters."""
    x = x.clone().requires_grad_()
    spikes = neuron(x)
    (spikes * weight).sum().backward()
    return [spikes.detach(), x.grad, *(p.grad for p in neuron.parameters())]


@DETACH
# other thresholds with other resets
@pytest.mark.parametrize(
    ('v_reset', 'v_threshold'), [(0.0, 1.0), (None, 0.4), (-0.5, 2.5)]
)
@pytest.mark.parametrize(('ours', 'theirs'), SURROGATES)
@EVERY
def test_spikingjelly(name, ours, theirs, v_reset, v_threshold, detach_reset):
    options = dict(v_threshold=v_threshold, v_reset=v_reset, detach_reset=detach_reset)
    _, node, own = NEURONS[name]
    reference = node(surrogate_function=theirs, step_mode='m', **options, **own)
    x = torch.randn(STEPS, 3, 4, 6, 6) * 2
    weight = torch.randn_like(x)
    expected = run(reference, x, weight)
    found = run(
        make(name, surrogate=ours, **options), x.flatten(0, 1), weight.flatten(0, 1)
    )
    assert 0.005 < expected[0].mean() < 0.9
    assert torch.equal(found[0].view_as(x), expected[0])
    torch.testing.assert_close(found[1].view_as(x), expected[1], atol=1e-5, rtol=1e-5)
    for grad, right in zip(found[2:], expected[2:], strict=True):
        # a sum over 2160 terms of both signs: relative to their size, not to the sum's
        assert right != 0
        torch.testing.assert_close(grad, right, atol=1e-5 * x.numel() ** 0.5, rtol=1e-5)


def naive(x_seq, neuron):
    """The equations as they are written, step by step, left to autograd."""
    rule, decay = neuron.dynamics, neuron.decay()
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
@DETACH
@pytest.mark.parametrize('v_reset', [0.0, None, -0.4, 0.2])
@EVERY
def test_autograd(name, v_reset, detach_reset, surrogate):
    options = dict(v_reset=v_reset, detach_reset=detach_reset, surrogate=surrogate)
    neuron = make(name, v_threshold=0.8, **options).double()
    x = torch.randn(STEPS, 50, dtype=torch.float64, requires_grad=True)
    weight = torch.randn_like(x)
    inputs = [x, *neuron.parameters()]
    spikes, expected = neuron(x), naive(x, neuron)
    assert 0 < spikes.sum() < spikes.numel()
    assert torch.equal(spikes, expected)
    torch.testing.assert_close(
        torch.autograd.grad((spikes * weight).sum(), inputs),
        torch.autograd.grad((expected * weight).sum(), inputs),
        atol=1e-10,
        rtol=1e-10,
    )


@pytest.mark.parametrize('compiled', [True, False])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize('v_reset', [0.0, -0.3, None])
@EVERY
def test_graphs_bytes_and_potentials(name, v_reset, dtype, compiled, monkeypatch):
    """Spikes are the same without a graph, in bytes, and by their potentials."""
    if not compiled:
        monkeypatch.setattr(native, 'library', lambda: None)
    neuron = make(name, v_threshold=0.8, v_reset=v_reset)
    x = (4 * torch.rand(STEPS * 2, 3, 4, 4) - 0.5).to(dtype)
    x = x.contiguous(memory_format=torch.channels_last).requires_grad_()
    before = x.detach().clone()
    spikes = neuron(x)
    assert spikes.requires_grad
    assert 0.05 < spikes.float().mean() < 0.95
    for context in (torch.no_grad(), torch.inference_mode()):
        with context:
            other = neuron(x)
        assert not other.requires_grad
        assert torch.equal(other, spikes)
    h = neuron.potentials(x)
    assert h.shape == x.shape
    assert h.dtype == torch.promote_types(dtype, torch.float32)
    assert not h.requires_grad
    assert torch.equal((h >= 0.8).to(dtype), spikes)
    neuron.in_bytes = True
    packed = neuron(x)
    assert packed.dtype == torch.uint8 and not packed.requires_grad
    assert torch.equal(packed.to(dtype), spikes)
    assert packed.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(x, before)


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
@EVERY
def test_backward_keeps_one_fp32_potential_per_input(name, dtype):
    neuron = make(name)
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda tensor: saved.append(tensor) or tensor, lambda tensor: tensor
    ):
        x = torch.randn(STEPS, 50).to(dtype)
        IF(STEPS)(x)
        assert not saved  # a frozen input needs none
        neuron(x.requires_grad_()).sum()
    (kept,) = (tensor for tensor in saved if tensor.dim())
    assert (kept.numel(), kept.dtype) == (x.numel(), torch.float32)
    assert kept.untyped_storage().nbytes() == 4 * x.numel()
