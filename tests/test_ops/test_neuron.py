"""Compiled neurons against the reference: same spikes, same gradients."""

import pytest
import torch
from torch import Tensor

from mmsnn.models import SGResNet
from mmsnn.models.neurons import ATan, Rectangular, Sigmoid
from mmsnn.ops import Dynamics, multi_step, native, neuron_reference, potentials

STEPS = 4
LEAKS = {'IF': (None, True), 'LIF': (0.4, True), 'LIF whole input': (0.4, False)}
LEARNED = {'PLIF': (0.37, True), 'PLIF whole input': (0.37, False)}
RESETS = {'hard': 0.0, 'hard, negative': -0.3, 'soft': None}
pytestmark = pytest.mark.skipif(
    native.library() is None, reason='the operators cannot be compiled here'
)


def currents(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Return currents with which neurons fire now and then."""
    return (torch.rand(STEPS, *shape) * 1.6 - 0.3).to(dtype)


def run(x: Tensor, decay: Tensor | float | None, dynamics: Dynamics):
    """Return spikes and gradients by the input and by the decay."""
    x = x.detach().requires_grad_()
    if isinstance(decay, Tensor):
        decay = decay.detach().requires_grad_()
    spikes = multi_step(x, decay, dynamics)
    torch.manual_seed(1)
    spikes.backward(torch.randn(spikes.shape).to(spikes.dtype))
    return spikes.detach(), x.grad, getattr(decay, 'grad', None)


@pytest.mark.parametrize('surrogate', [ATan(), ATan(0.7), Sigmoid(), Rectangular(0.6)])
@pytest.mark.parametrize('v_reset', RESETS.values(), ids=RESETS)
@pytest.mark.parametrize('detach', [True, False])
@pytest.mark.parametrize('kind', LEAKS | LEARNED)
def test_neurons(kind, detach, v_reset, surrogate, reference) -> None:
    """Every leak, reset and surrogate; more neurons than fit a block."""
    decay, decay_input = (LEAKS | LEARNED)[kind]
    decay = torch.tensor(decay) if kind in LEARNED else decay
    dynamics = Dynamics(0.8, v_reset, detach, surrogate, decay_input)
    x = 2 * currents(3, 5, 8, 9)
    found, expected = run(x, decay, dynamics), reference(run, x, decay, dynamics)
    assert torch.equal(found[0], expected[0])
    assert 0.05 < found[0].mean() < 0.95
    torch.testing.assert_close(found[1], expected[1], rtol=1e-5, atol=1e-6)
    if kind in LEARNED:
        torch.testing.assert_close(found[2], expected[2], rtol=1e-4, atol=1e-4)
    with torch.no_grad():
        assert torch.equal(multi_step(x, decay, dynamics), expected[0])
    args = x, decay, dynamics
    assert torch.equal(potentials(*args), reference(potentials, *args))


DYNAMICS = Dynamics(1.0, 0.0, False, ATan())


@pytest.mark.parametrize('kind', LEAKS)
def test_bf16(kind, reference) -> None:
    """The potential is fp32; spikes are equal, gradients rounded once."""
    decay, decay_input = LEAKS[kind]
    dynamics = Dynamics(0.8, 0.0, False, ATan(), decay_input)
    x = currents(2, 3, 20, 20, dtype=torch.bfloat16)
    found, expected = run(x, decay, dynamics), reference(run, x, decay, dynamics)
    assert found[0].dtype == found[1].dtype == torch.bfloat16
    assert torch.equal(found[0], expected[0])
    torch.testing.assert_close(found[1], expected[1])


def test_the_gradient_may_be_laid_out_otherwise(reference) -> None:
    """A gradient that is expanded, or not channels-last as the currents."""
    x = currents(2, 3, 6, 5).flatten(0, 1).to(memory_format=torch.channels_last)
    x = x.unflatten(0, (STEPS, 2)).requires_grad_()

    def gradient(upstream: Tensor) -> Tensor:
        return torch.autograd.grad(multi_step(x, None, DYNAMICS), x, upstream)[0]

    for upstream in (torch.ones(()).expand(x.shape), torch.randn(x.shape)):
        torch.testing.assert_close(gradient(upstream), reference(gradient, upstream))


@pytest.mark.parametrize('threads', [1, 2])
def test_many_neurons_on_any_number_of_threads(threads, reference) -> None:
    """More than a thread's share, and blocks that are not full."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        x = currents(100_003)
        found = run(x, torch.tensor(0.5), DYNAMICS)
        expected = reference(run, x, torch.tensor(0.5), DYNAMICS)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(found[0], expected[0])
    torch.testing.assert_close(found[1], expected[1])
    torch.testing.assert_close(found[2], expected[2], rtol=1e-4, atol=1e-2)


def test_the_compiled_operators_are_what_runs(monkeypatch) -> None:
    """In fp32 and bf16, and in a whole network, nothing is left to the reference."""

    def fail(*args) -> None:
        raise AssertionError('the reference ran')

    monkeypatch.setattr(neuron_reference, 'multi_step', fail)
    monkeypatch.setattr(neuron_reference, 'multi_step_backward', fail)
    for dtype in (torch.float32, torch.bfloat16):
        run(currents(2, 3, 4, 4, dtype=dtype), None, DYNAMICS)
    SGResNet(10, num_steps=2, base_channels=16)(torch.randn(1, 3, 64, 64))
    with pytest.raises(AssertionError, match='reference'):
        run(currents(5, dtype=torch.float64), None, DYNAMICS)
