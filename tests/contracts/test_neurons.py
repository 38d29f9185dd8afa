"""What every registered neuron and surrogate keeps to."""

import copy
import inspect

import pytest
import torch
from test_models.helpers import parameters_without_gradient
from test_models.test_backbones.fake_backward import fake_gradients
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from mmsnn.models.neurons import BaseNeuron, Surrogate, build_surrogate, heaviside
from mmsnn.models.neurons.base import NeuronOptions
from mmsnn.registry import MODELS, SURROGATES

from .parts import NEURONS, make_neuron

STEPS = 4
EVERY = pytest.mark.parametrize('name', NEURONS)
SURROGATE = pytest.mark.parametrize('name', SURROGATES.module_dict)


def currents(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Return currents with which neurons fire now and then."""
    return torch.randn(STEPS, *shape, dtype=dtype) + 0.8


@EVERY
def test_spikes_and_gradients(name: str) -> None:
    """Same shape and dtype, in any precision; everything learns."""
    for dtype in (torch.float32, torch.float64, torch.bfloat16, torch.float16):
        neuron = make_neuron(name, STEPS).to(
            dtype if dtype == torch.float64 else torch.float32
        )
        x = currents(3, 40).to(dtype).requires_grad_()
        before = x.detach().clone()
        spikes = neuron(x)
        assert (spikes.shape, spikes.dtype) == (x.shape, dtype)
        assert 0.02 < (spikes > 0).float().mean() < 0.98
        spikes.backward(torch.randn_like(spikes))
        assert x.grad.dtype == dtype and x.grad.isfinite().all() and x.grad.any()
        assert parameters_without_gradient(neuron) == []
        assert torch.equal(x, before)


@EVERY
def test_the_state_is_fp32(name: str) -> None:
    """Whatever the input is, under autocast too."""
    neuron, x = make_neuron(name, STEPS), currents(5000)
    for dtype in (torch.bfloat16, torch.float16):
        half = x.to(dtype)
        assert torch.equal(neuron(half).float(), neuron(half.float()).to(dtype).float())
        grads = []
        for source in (half, half.float()):
            learned = source.detach().requires_grad_()
            upstream = torch.linspace(-1, 1, learned.numel()).view_as(x).to(dtype)
            neuron(learned).backward(upstream.to(learned.dtype))
            grads.append(learned.grad.to(dtype))
        # computed in fp32 and rounded once
        torch.testing.assert_close(*grads)
    with torch.autocast('cpu', torch.bfloat16):
        cast = neuron(x)
    assert cast.dtype == torch.float32
    assert torch.equal(cast, neuron(x))


@EVERY
def test_nothing_is_kept_between_calls(name: str) -> None:
    neuron, x = make_neuron(name, STEPS), currents(2, 50)
    expected = neuron(x.clone().requires_grad_())
    neuron(currents(7))
    assert torch.equal(neuron(x), expected)
    assert torch.equal(copy.deepcopy(neuron)(x), expected)
    with torch.no_grad():
        assert torch.equal(neuron(x), expected)
    with torch.inference_mode():
        assert torch.equal(neuron(x), expected)


@EVERY
def test_time_comes_first_and_only_changes_what_is_later(name: str) -> None:
    neuron, x = make_neuron(name, STEPS), currents(3, 50)
    together = neuron(x.flatten(0, 1)).unflatten(0, (STEPS, 3))
    for sample in range(3):
        assert torch.equal(neuron(x[:, sample]), together[:, sample])
    changed = x.clone()
    changed[2] += 1.0
    later = neuron(changed)
    assert torch.equal(later[:2], together[:2])
    assert not torch.equal(later[2:], together[2:])


@EVERY
@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
def test_layouts(name: str, dtype: torch.dtype, implementation: str) -> None:
    """Strides change no value, and are kept where they fill the memory."""
    neuron = make_neuron(name, STEPS)
    base = currents(2, 6, 5, 7).flatten(0, 1).to(dtype)
    last = base.to(memory_format=torch.channels_last)
    views = [last, base.transpose(2, 3), base[..., ::2], currents(4, 3)[:, ::2]]
    views += [last[:2].expand(STEPS, 2, 6, 5, 7), currents(), currents(0)]
    views += [torch.cat([base, last])[::2]]
    for view in views:
        results = []
        for x in (view, view.clone(memory_format=torch.contiguous_format)):
            x = x.detach().requires_grad_()
            spikes = neuron(x)
            torch.manual_seed(1)
            upstream = torch.randn(x.shape).to(x.dtype)
            results.append((spikes.detach(), torch.autograd.grad(spikes, x, upstream)))
        (spikes, grads), (expected, expected_grads) = results
        assert spikes.stride() == torch.empty_like(view).stride()
        assert torch.equal(spikes, expected)
        torch.testing.assert_close(grads, expected_grads)
    x = last.detach().requires_grad_()
    spikes = neuron(x)
    (grad,) = torch.autograd.grad(spikes.sum(), x)
    for tensor in (spikes, grad):
        assert tensor.is_contiguous(memory_format=torch.channels_last)
    assert neuron(base).is_contiguous()
    # no memory is shared between steps or with the input
    still = currents(6)[:1].expand(STEPS, 6)
    before = still.clone()
    neuron(still)[0] = 7.0
    assert torch.equal(still, before)


@EVERY
def test_backward_can_be_repeated(name: str) -> None:
    x = currents(50).requires_grad_()
    loss = make_neuron(name, STEPS)(x).sum()
    first = torch.autograd.grad(loss, x, retain_graph=True)
    assert torch.equal(first[0], torch.autograd.grad(loss, x)[0])


@EVERY
def test_learned_parameters_alone_and_frozen(name: str) -> None:
    """The first layer of a network has an input without gradient."""
    neuron = make_neuron(name, STEPS)
    if not list(neuron.parameters()):
        pytest.skip('nothing is learned')
    x = currents(50)
    alone = torch.autograd.grad(neuron(x).sum(), list(neuron.parameters()))
    both = torch.autograd.grad(
        neuron(x.clone().requires_grad_()).sum(), list(neuron.parameters())
    )
    torch.testing.assert_close(alone, both)
    neuron.requires_grad_(False)
    neuron(x.requires_grad_()).sum().backward()
    assert x.grad.any() and all(p.grad is None for p in neuron.parameters())


@EVERY
def test_firing_current(name: str) -> None:
    """A constant current that fires at every step, and hardly more than needed."""
    neuron = make_neuron(name, 20)
    current = neuron.firing_current()
    assert neuron(torch.full((20, 3), current)).all()
    assert not neuron(torch.full((20, 3), 0.98 * current)).all()


@EVERY
def test_no_samples(name: str) -> None:
    """As for the regions of an image without proposals."""
    neuron = make_neuron(name, STEPS)
    x = torch.zeros(0, 3, requires_grad=True)
    spikes = neuron(x)
    assert spikes.shape == (0, 3)
    spikes.sum().backward()
    assert x.grad is not None and x.grad.shape == (0, 3)
    assert all(p.grad is None or not p.grad.any() for p in neuron.parameters())


@EVERY
def test_wrong_inputs(name: str) -> None:
    neuron = make_neuron(name, STEPS)
    for shape in ((5,), (6, 3), ()):
        with pytest.raises(ValueError, match=f'num_steps={STEPS}.*but got shape'):
            neuron(torch.zeros(shape))
    for dtype in (torch.int64, torch.uint8, torch.bool):
        with pytest.raises(TypeError, match=f'but got {dtype}'):
            neuron(torch.ones(STEPS, 2, dtype=dtype))


@EVERY
def test_signature_and_printed_settings(name: str) -> None:
    neuron = MODELS.get(name)
    assert issubclass(neuron, BaseNeuron)
    parameters = inspect.signature(neuron).parameters
    assert 'num_steps' in parameters and 'options' not in parameters
    if 'v_threshold' in parameters:
        assert NeuronOptions.__annotations__.keys() <= parameters.keys()
    assert f'num_steps={STEPS}' in str(make_neuron(name, STEPS))


@EVERY
def test_compiled_and_exported(name: str) -> None:
    neuron = make_neuron(name, STEPS).double()

    def results(call: nn.Module) -> tuple[Tensor, ...]:
        torch.manual_seed(1)
        x = currents(3, 8, dtype=torch.float64).requires_grad_()
        spikes = call(x)
        return spikes, *torch.autograd.grad(spikes.sum(), (x, *neuron.parameters()))

    torch._dynamo.reset()
    compiled = torch.compile(neuron, backend='aot_eager', fullgraph=True)
    torch.testing.assert_close(results(compiled), results(neuron), rtol=0, atol=0)
    x = currents(3, 8, dtype=torch.float64)
    program = torch.export.export(neuron, (x,)).module()
    assert torch.equal(program(x + 0.5), neuron(x + 0.5))
    torch._dynamo.reset()


@EVERY
def test_fake_cuda(name: str) -> None:
    with FakeTensorMode(), torch.device('cuda'):
        neuron = make_neuron(name, STEPS)
        x = torch.rand(STEPS, 3, requires_grad=True)
        leaves = fake_gradients([neuron(x)])
    assert leaves.keys() == {x, *neuron.parameters()}
    assert {grad.device.type for grad in leaves.values()} == {'cuda'}


X = torch.linspace(-2, 2, 401, dtype=torch.float64)


@SURROGATE
def test_surrogate(name: str) -> None:
    """The gradient of the step is the derivative, positive at the threshold."""
    surrogate = build_surrogate({'type': name})
    assert isinstance(surrogate, Surrogate) and surrogate == SURROGATES.get(name)()
    assert hash(surrogate) == hash(SURROGATES.get(name)())
    x = X.clone().requires_grad_()
    spikes, upstream = heaviside(x, surrogate), torch.randn_like(X)
    slope = surrogate.derivative(X)
    assert torch.equal(spikes, (X >= 0).double())
    assert (slope.shape, slope.dtype) == (X.shape, X.dtype)
    assert (slope >= 0).all() and surrogate.derivative(X.new_zeros(1)) > 0
    assert surrogate.derivative(X.bfloat16()).dtype == torch.bfloat16
    spikes.backward(upstream)
    torch.testing.assert_close(x.grad, upstream * slope)
    assert torch.equal(x.detach(), X)
    with pytest.raises(AttributeError):
        surrogate.alpha = 3.0


@SURROGATE
def test_surrogate_in_a_neuron(name: str) -> None:
    """In one step the gradient is the derivative at the potential."""
    neuron = make_neuron('IF', 1, surrogate={'type': name})
    x = torch.linspace(0, 2, 41).requires_grad_()
    neuron(x[None]).sum().backward()
    distance = neuron.potentials(x[None])[0] - 1
    torch.testing.assert_close(x.grad, neuron.dynamics.surrogate.derivative(distance))
