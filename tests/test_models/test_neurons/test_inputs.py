"""Dtypes, autocast and memory layouts of a neuron's input."""

import pytest
import torch

from mmsnn.models.neurons import IF, LIF, PLIF

STEPS = 4
NEURONS = {
    'IF': (IF, {}),
    'LIF': (LIF, {'tau': 1.7}),
    'PLIF': (PLIF, {}),
    'LIF, whole input': (LIF, {'tau': 4 / 3, 'decay_input': False}),
    'PLIF, whole input': (PLIF, {'init_tau': 1.7, 'decay_input': False}),
}
HALVES = [torch.bfloat16, torch.float16]


@pytest.fixture(params=NEURONS)
def neuron(request):
    kind, options = NEURONS[request.param]
    return kind(STEPS, v_reset=-0.3, **options)


@pytest.mark.parametrize('dtype', HALVES)
def test_the_state_is_fp32_whatever_the_input(neuron, dtype):
    # many small currents: a bf16 potential would lose them and flip spikes
    x = (torch.rand(STEPS, 20_000) * 2).to(dtype)
    spikes = neuron(x)
    assert spikes.dtype == dtype
    assert torch.equal(spikes.float(), neuron(x.float()))
    with torch.no_grad():
        assert torch.equal(neuron(x), spikes)


@pytest.mark.parametrize('dtype', HALVES)
def test_gradients_of_half_precision_inputs(neuron, dtype):
    x = (torch.rand(STEPS, 500) * 2).to(dtype)
    upstream = torch.randn(STEPS, 500).to(dtype)
    grads = []
    for source in (x, x.float()):
        source = source.detach().requires_grad_()
        neuron.zero_grad()
        neuron(source).backward(upstream.to(source.dtype))
        grads.append((source.grad, [p.grad for p in neuron.parameters()]))
    (half, half_w), (full, full_w) = grads
    assert half.dtype == dtype
    # computed in fp32 and rounded once; by other operations for fp16 than for fp32
    torch.testing.assert_close(half, full.to(dtype))
    torch.testing.assert_close(half_w, full_w)


def test_fp64_stays_fp64(neuron):
    x = torch.randn(STEPS, 50, dtype=torch.float64, requires_grad=True)
    spikes = neuron.double()(x)
    spikes.sum().backward()
    assert spikes.dtype == x.grad.dtype == torch.float64


def test_autocast_keeps_the_result(neuron):
    x = torch.randn(STEPS, 500) * 2
    plain = neuron(x.clone().requires_grad_())
    with torch.autocast('cpu', dtype=torch.bfloat16):
        cast = neuron(x.clone().requires_grad_())
    assert cast.dtype == torch.float32
    assert torch.equal(cast, plain)


def layouts():
    base = torch.randn(STEPS * 2, 6, 5, 7) * 2
    yield 'channels last', base.to(memory_format=torch.channels_last)
    yield 'transposed', base.transpose(2, 3)
    yield 'strided', torch.randn(STEPS * 2, 6, 5, 14)[..., ::2] * 2
    yield 'slice of time', torch.randn(STEPS * 4, 6, 5, 7)[::2] * 2
    yield 'one image, expanded', (torch.randn(2, 6, 5, 7) * 2).expand(STEPS, 2, 6, 5, 7)
    yield (
        'one image, expanded, channels last',
        (torch.randn(2, 6, 5, 7) * 2)
        .to(memory_format=torch.channels_last)
        .expand(STEPS, 2, 6, 5, 7),
    )
    yield 'flat', torch.randn(STEPS) * 2
    yield 'no elements', torch.randn(STEPS, 0)


@pytest.mark.parametrize('layout', [name for name, _ in layouts()])
def test_strides_do_not_change_the_result(neuron, layout):
    x = dict(layouts())[layout]
    plain = x.clone(memory_format=torch.contiguous_format)
    upstream = torch.randn(x.shape)
    results = []
    for source in (x, plain):
        source = source.detach().requires_grad_()
        neuron.zero_grad()
        spikes = neuron(source)
        spikes.backward(upstream)
        results.append((spikes.detach(), source.grad))
        with torch.no_grad():
            assert torch.equal(neuron(source), spikes)
    (spikes, grad), (expected, expected_grad) = results
    assert spikes.shape == x.shape
    assert torch.equal(spikes, expected)
    torch.testing.assert_close(grad, expected_grad)


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
def test_channels_last_survives(neuron, dtype):
    x = torch.randn(STEPS * 2, 6, 5, 7, dtype=dtype)
    x = x.to(memory_format=torch.channels_last).requires_grad_()
    spikes = neuron(x)
    assert spikes.is_contiguous(memory_format=torch.channels_last)
    (grad,) = torch.autograd.grad(spikes.sum(), x)
    assert grad.is_contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        assert neuron(x).is_contiguous(memory_format=torch.channels_last)


def test_contiguous_survives(neuron):
    spikes = neuron(torch.randn(STEPS * 2, 6, 5, 7))
    assert spikes.is_contiguous()


def test_output_shares_no_memory_between_steps_or_with_its_input(neuron):
    x = torch.randn(2, 6).expand(STEPS, 2, 6)
    before = x.clone()
    neuron(x).zero_()
    assert torch.equal(x, before)
    spikes = neuron(x)
    spikes[0] = 7.0
    assert (spikes[1:] != 7.0).all()
