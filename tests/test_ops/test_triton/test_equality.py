"""Every Triton kernel computes what its operator computes on a CPU."""

from itertools import product
from typing import Any

import pytest
import torch
import triton
from torch import Tensor

import mmsnn.ops.triton as kernels
from mmsnn.ops import SurrogateKind

from .neuron_cases import (
    DTYPES,
    KINDS,
    LAYOUTS,
    NEURONS,
    RESETS,
    SHAPE,
    channels_last,
    contiguous,
    expanded,
    neuron,
    random,
)

pytestmark = pytest.mark.gpu

ROUNDING = {
    torch.float32: dict(rtol=2e-5, atol=2e-6),
    torch.bfloat16: dict(rtol=1e-2, atol=1e-3),
    torch.float16: dict(rtol=2e-3, atol=1e-4),
    torch.float64: dict(rtol=1e-12, atol=1e-12),
}


def to_device(x: Any, device: torch.device) -> Any:
    """Return a tensor on a device with its strides, even expanded; others unchanged."""
    if not isinstance(x, Tensor):
        return x
    stored = x.new_empty(0).set_(x.untyped_storage())
    return stored.to(device).as_strided(x.shape, x.stride(), x.storage_offset())


def run_both(
    name: str, device: torch.device, *args: Any
) -> list[tuple[Tensor, Tensor]]:
    """Return pairs of the kernel's results and of the operator's on a CPU.

    Dtypes and layouts are compared here.
    """
    results = getattr(kernels, name)(*(to_device(arg, device) for arg in args))
    expected = getattr(torch.ops.mmsnn, name)(*args)
    if isinstance(expected, Tensor):
        results, expected = [results], [expected]
    pairs = [(a.cpu(), b) for a, b in zip(results, expected, strict=True)]
    for result, other in pairs:
        assert result.shape == other.shape
        assert result.dtype == other.dtype
        assert result.stride() == other.stride()
    return pairs


def check_equal(result: Tensor, expected: Tensor) -> None:
    """Check that two tensors are equal, NaN to NaN."""
    # Triton's interpreter truncates to bf16 instead of rounding
    truncated = triton.knobs.runtime.interpret and expected.dtype == torch.bfloat16
    rtol = 2**-7 if truncated else 0
    torch.testing.assert_close(result, expected, rtol=rtol, atol=0, equal_nan=True)


def check_neuron(
    device: torch.device,
    x_seq: Tensor,
    name: str,
    v_reset: float | None,
    kind: SurrogateKind,
    detach_reset: bool,
) -> None:
    """Compare a neuron's spikes, potentials and gradients."""
    args = (*neuron(name, v_reset, x_seq.dtype), detach_reset, int(kind), 2.5)
    spikes, potentials = run_both('multi_step', device, x_seq, *args, True, False)
    check_equal(*spikes)
    check_equal(*potentials)
    assert 0 < spikes[1].mean() < 1

    h_seq = potentials[1]
    given = kind == SurrogateKind.GIVEN
    slope = torch.exp(-((h_seq - 1.0) ** 2)) if given else None
    grad = random(*x_seq.shape, seed=1).to(x_seq.dtype)
    grad_x, grad_decay = run_both(
        'multi_step_backward', device, grad, h_seq, *args, slope
    )
    torch.testing.assert_close(*grad_x, **ROUNDING[x_seq.dtype])
    torch.testing.assert_close(*grad_decay, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(('name', 'v_reset'), list(product(NEURONS, RESETS)))
def test_neurons(name: str, v_reset: float | None, device: torch.device) -> None:
    # every neuron and reset with two surrogates each, every reset with all of them
    first = NEURONS.index(name)
    for detach_reset in (True, False):
        kind = KINDS[(first + detach_reset) % len(KINDS)]
        check_neuron(device, contiguous(3), name, v_reset, kind, detach_reset)


@pytest.mark.parametrize('layout', LAYOUTS)
@pytest.mark.parametrize('dtype', DTYPES)
def test_layouts_and_dtypes(
    layout: Any, dtype: torch.dtype, device: torch.device
) -> None:
    x_seq = layout(3).to(dtype)
    check_neuron(device, x_seq, 'PLIF', 0.25, SurrogateKind.ATAN, False)


@pytest.mark.slow
@pytest.mark.parametrize('steps', [1, 4])
@pytest.mark.parametrize('dtype', DTYPES)
@pytest.mark.parametrize('v_reset', RESETS)
@pytest.mark.parametrize('name', NEURONS)
def test_all_neurons(
    name: str,
    v_reset: float | None,
    dtype: torch.dtype,
    steps: int,
    device: torch.device,
) -> None:
    layouts = (channels_last, expanded)
    for layout, kind, detached in product(layouts, KINDS, (True, False)):
        check_neuron(device, layout(steps).to(dtype), name, v_reset, kind, detached)


@pytest.mark.parametrize('steps', [1, 16])
def test_numbers_of_steps(steps: int, device: torch.device) -> None:
    x_seq = channels_last(steps)
    check_neuron(device, x_seq, 'LIF', None, SurrogateKind.SIGMOID, False)


@pytest.mark.parametrize('keep', [True, False])
@pytest.mark.parametrize('dtype', DTYPES)
def test_bytes(dtype: torch.dtype, keep: bool, device: torch.device) -> None:
    args = (*neuron('LIF', 0.0, dtype), False, int(SurrogateKind.ATAN), 2.0)
    for spikes, expected in run_both(
        'multi_step', device, contiguous(4).to(dtype), *args, keep, True
    ):
        check_equal(spikes, expected)


@pytest.mark.parametrize('value', [float('nan'), float('inf'), -float('inf')])
@pytest.mark.parametrize('name', ['IF', 'LIF', 'LIF, input kept'])
@pytest.mark.parametrize('v_reset', RESETS)
def test_non_finite_potentials_give_nan(
    value: float, name: str, v_reset: float | None, device: torch.device
) -> None:
    x_seq = contiguous(3)
    x_seq[1, 0, 0, 0, :3] = value
    args = (*neuron(name, v_reset, x_seq.dtype), False, int(SurrogateKind.ATAN), 2.0)
    (spikes, expected), _ = run_both('multi_step', device, x_seq, *args, False, False)
    assert spikes[1, 0, 0, 0, :3].isnan().all()
    check_equal(spikes, expected)


@pytest.mark.parametrize('shape', [(3, 0), (2, 4, 0, 5)])
def test_no_neurons(shape: tuple[int, ...], device: torch.device) -> None:
    args = (*neuron('PLIF', 0.0, torch.float32), False, int(SurrogateKind.ATAN), 2.0)
    x_seq = torch.zeros(shape)
    _, (potentials, _) = run_both('multi_step', device, x_seq, *args, True, False)
    run_both('multi_step_backward', device, x_seq, potentials, *args, None)


def test_gradients_of_any_strides(device: torch.device) -> None:
    args = (*neuron('LIF', 0.0, torch.float32), False, int(SurrogateKind.ATAN), 2.0)
    _, (_, h_seq) = run_both('multi_step', device, channels_last(4), *args, True, False)
    for grad in (torch.tensor(0.5).expand(4, *SHAPE), random(4, *SHAPE)):
        (pair, _) = run_both('multi_step_backward', device, grad, h_seq, *args, None)
        torch.testing.assert_close(*pair, **ROUNDING[torch.float32])


def check_integer_neuron(
    device: torch.device,
    layout: Any,
    dtype: torch.dtype,
    max_value: int,
    normalize: bool,
    detach_reset: bool,
) -> None:
    """Compare an integer neuron's values, potentials and gradients."""
    # quarters: many potentials lie between two integers, and on the limits
    x_seq = ((8 * layout(3)).round() / 4).to(dtype)
    args = (0.25, max_value, normalize, detach_reset)
    values, potentials = run_both('integer_multi_step', device, x_seq, *args, True)
    check_equal(*values)
    check_equal(*potentials)
    assert values[1].max() == (1 if normalize else max_value)
    grad = random(*x_seq.shape, seed=1).to(dtype)
    [grads] = run_both(
        'integer_multi_step_backward', device, grad, potentials[1], *args
    )
    torch.testing.assert_close(*grads, **ROUNDING[dtype])


INTEGER_NEURONS = list(product((1, 4, 6), (True, False), (True, False)))


@pytest.mark.parametrize('dtype', DTYPES)
@pytest.mark.parametrize('case', INTEGER_NEURONS[::5])
def test_integer_neurons(
    case: tuple[int, bool, bool], dtype: torch.dtype, device: torch.device
) -> None:
    check_integer_neuron(device, channels_last, dtype, *case)


@pytest.mark.slow
@pytest.mark.parametrize('dtype', DTYPES)
@pytest.mark.parametrize('layout', LAYOUTS)
def test_all_integer_neurons(
    layout: Any, dtype: torch.dtype, device: torch.device
) -> None:
    for case in INTEGER_NEURONS:
        check_integer_neuron(device, layout, dtype, *case)


@pytest.mark.parametrize('value', [float('nan'), float('inf'), -float('inf')])
def test_integer_neurons_give_nan(value: float, device: torch.device) -> None:
    x_seq = contiguous(3)
    x_seq[1, 0, 0, 0, :3] = value
    args = (0.25, 4, False, False, False)
    (values, expected), _ = run_both('integer_multi_step', device, x_seq, *args)
    assert values[1, 0, 0, 0, :3].isnan().all()
    check_equal(values, expected)


def run_gate(
    device: torch.device, residual: Tensor, shortcut: Tensor
) -> list[tuple[Tensor, Tensor]]:
    """Return pairs of an output and gradients of the gate, and of those expected."""
    dtype = residual.dtype
    grad = random(*residual.shape, seed=2).to(dtype)
    results = (
        *run_both('gate', device, residual, shortcut),
        *run_both('gate_backward', device, grad, residual, shortcut),
    )
    # the kernels compute in fp32 at least, PyTorch's operations round in between
    wide = [
        x.to(torch.promote_types(dtype, torch.float32))
        for x in (grad, residual, shortcut)
    ]
    expected = (
        torch.ops.mmsnn.gate(*wide[1:]),
        *torch.ops.mmsnn.gate_backward(*wide),
    )
    return [
        (result, other.to(dtype))
        for (result, _), other in zip(results, expected, strict=True)
    ]


@pytest.mark.parametrize('residual_layout', LAYOUTS)
@pytest.mark.parametrize('shortcut_layout', LAYOUTS[:2])
def test_layouts_of_gate(
    residual_layout: Any, shortcut_layout: Any, device: torch.device
) -> None:
    for pair in run_gate(device, residual_layout(2), shortcut_layout(2).flip(0)):
        torch.testing.assert_close(*pair, **ROUNDING[torch.float32])


@pytest.mark.parametrize('dtype', DTYPES)
def test_dtypes_of_gate(dtype: torch.dtype, device: torch.device) -> None:
    x = contiguous(2).to(dtype)
    for pair in run_gate(device, *x.unbind(0)):
        torch.testing.assert_close(*pair, **ROUNDING[dtype])
    for pair in run_gate(device, *(x > 0).to(dtype).unbind(0)):
        check_equal(*pair)
