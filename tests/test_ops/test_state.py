"""Neurons that continue from a state compute what they compute in one call."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from mmsnn.models.neurons import ATan, Rectangular, Sigmoid, Surrogate
from mmsnn.ops import (
    Dynamics,
    integer_multi_step,
    integer_multi_step_from,
    multi_step,
    multi_step_from,
    spike_bytes,
    spike_bytes_from,
)

from .test_triton.neuron_cases import LAYOUTS, contiguous

PARTITIONS = ([1, 1, 1, 1, 1, 1], [2, 4], [5, 1], [3, 2, 1])


class Gaussian(Surrogate):
    """A surrogate that the operators do not know."""

    def derivative(self, x: Tensor) -> Tensor:
        return torch.exp(-(x**2))


def neuron(
    decay: str, v_reset: float | None, detach: bool, surrogate: Surrogate
) -> tuple[Any, ...]:
    """Return a neuron's decay and dynamics."""
    k = {'IF': None, 'PLIF': torch.tensor(0.3, requires_grad=True)}.get(decay, 0.3)
    return k, Dynamics(0.7, v_reset, detach, surrogate, 'kept' not in decay)


NEURONS = {
    f'{decay}, {v_reset}': neuron(decay, v_reset, detach, surrogate)
    for detach, surrogate, decay in (
        (False, ATan(), 'IF'),
        (True, Rectangular(), 'LIF'),
        (False, Sigmoid(), 'LIF, kept'),
        (False, ATan(), 'PLIF'),
        (False, Gaussian(1.0), 'PLIF, kept'),
    )
    for v_reset in (0.0, 0.25, None)
}
INTEGERS = [(0.25, 4, False, False), (0.5, 2, True, True)]


def in_parts(
    function: Callable[..., tuple[Tensor, Tensor]],
    x_seq: Tensor,
    sizes: list[int],
    *settings: Any,
) -> tuple[Tensor, Tensor]:
    """Return the outputs of calls that continue from each other's state."""
    outs, v = [], None
    for part in x_seq.split(sizes):
        out, v = function(part, v, *settings)
        outs.append(out)
    assert v is not None
    return torch.cat(outs), v


def functions(settings: tuple[Any, ...]) -> tuple[Callable[..., Any], ...]:
    """Return the functions without and with state, and the dtypes' spikes in bytes."""
    if len(settings) == 2:
        return multi_step, multi_step_from
    return integer_multi_step, integer_multi_step_from


CASES = [*NEURONS.values(), *INTEGERS]
IDS = [*NEURONS, 'integers', 'normalised integers']


@pytest.mark.parametrize('sizes', PARTITIONS, ids=str)
@pytest.mark.parametrize('settings', CASES, ids=IDS)
def test_a_partition_equals_one_call(settings, sizes, implementation) -> None:
    whole, stateful = functions(settings)
    for dtype in (torch.float32, torch.bfloat16):
        for layout in LAYOUTS:
            x_seq = layout(6).to(dtype)
            expected = whole(x_seq, *settings)
            outs, v = in_parts(stateful, x_seq, sizes, *settings)
            assert torch.equal(outs, expected)
            assert expected.float().std() > 0
            assert v.dtype == torch.float32
            assert torch.equal(v, stateful(x_seq, None, *settings)[1])


@pytest.mark.parametrize('name', NEURONS)
def test_a_partition_in_bytes(name: str, implementation) -> None:
    x_seq, settings = contiguous(6), NEURONS[name]
    spikes, v = in_parts(spike_bytes_from, x_seq, [2, 4], *settings)
    assert torch.equal(spikes, spike_bytes(x_seq, *settings))
    assert torch.equal(v, multi_step_from(x_seq, None, *settings)[1])


def gradients(
    call: Callable[[Tensor], Tensor], x_seq: Tensor, settings: tuple[Any, ...]
) -> tuple[Tensor, ...]:
    """Return the gradients with respect to the currents and to a learned decay."""
    x_seq = x_seq.clone().requires_grad_()
    out = call(x_seq)
    torch.manual_seed(1)
    learned = [k for k in settings[:1] if isinstance(k, Tensor)]
    return torch.autograd.grad(out, [x_seq, *learned], torch.randn(out.shape))


@pytest.mark.parametrize('settings', CASES, ids=IDS)
def test_gradients_of_a_partition(settings, implementation) -> None:
    whole, stateful = functions(settings)
    x_seq = contiguous(6)
    found = gradients(
        lambda x: in_parts(stateful, x, [3, 1, 2], *settings)[0], x_seq, settings
    )
    expected = gradients(lambda x: whole(x, *settings), x_seq, settings)
    for grad, other in zip(found, expected, strict=True):
        torch.testing.assert_close(grad, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('settings', CASES, ids=IDS)
def test_a_detached_state_cuts_the_gradient(settings, implementation) -> None:
    """After the cut gradients are those of a call from a constant state."""
    _, stateful = functions(settings)
    first, second = contiguous(6).requires_grad_().split(3)
    v = stateful(first, None, *settings)[1]
    upstream = torch.randn(second.shape)
    cut = torch.autograd.grad(
        stateful(second, v.detach(), *settings)[0], first, upstream, allow_unused=True
    )
    assert cut == (None,)
    (through,) = torch.autograd.grad(stateful(second, v, *settings)[0], first, upstream)
    assert through.count_nonzero() > 0


def test_the_gradient_of_the_final_state(implementation) -> None:
    """IF without spikes is a sum: every gradient is that of the sum."""
    x_seq = torch.full((3, 5), 0.01, requires_grad=True)
    v = torch.full((5,), 0.02, requires_grad=True)
    silent = Dynamics(1.0, 0.0, True, ATan())
    _, final = multi_step_from(x_seq, v, None, silent)
    assert torch.allclose(final, torch.full((5,), 0.05))
    grads = torch.autograd.grad(final.sum(), [x_seq, v])
    assert all(torch.equal(grad, torch.ones_like(grad)) for grad in grads)


def test_potentials_that_are_not_finite(implementation) -> None:
    v = torch.tensor([float('nan'), float('inf'), 0.0])
    settings = (None, Dynamics(1.0, 0.0, True, ATan()))
    spikes, _ = multi_step_from(torch.zeros(2, 3), v, *settings)
    assert spikes[0].isnan().tolist() == [True, True, False]
    with pytest.raises(ValueError, match='NaN'):
        spike_bytes_from(torch.zeros(2, 3), v, *settings)
