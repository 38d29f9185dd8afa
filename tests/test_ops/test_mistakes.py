"""Arguments that operators do not take give one error with what is allowed."""

# ruff: noqa: E501 - a row is a line

import math
from dataclasses import dataclass

import pytest
import torch
from mistakes import check_mistake
from torch.profiler import profile

from mmsnn.models.neurons import IF, ATan, Surrogate
from mmsnn.ops import (
    Dynamics,
    SurrogateKind,
    gate,
    integer_multi_step,
    integer_multi_step_from,
    multi_step,
    multi_step_from,
    potentials,
    spike_bytes,
    surrogate_slope,
)

X = torch.rand(2, 3)
DYNAMICS = Dynamics(1.0, 0.0, False, ATan())
META = torch.rand(2, 3, device='meta')
BYTES = torch.arange(4, dtype=torch.uint8)
HALF = torch.tensor(0.5)
F32 = torch.float32


def raw(*args, **settings):
    """Call the operator itself."""
    defaults = dict(
        learned_decay=None,
        decay=None,
        v_threshold=1.0,
        v_reset=0.0,
        decay_input=True,
        detach_reset=False,
        surrogate=1,
        alpha=2.0,
        keep=False,
        as_bytes=False,
    )
    return torch.ops.mmsnn.multi_step(*args, **{**defaults, **settings})


def unpack(kind: str, numbers, shape, strides):
    return getattr(torch.ops.mmsnn, f'unpack_{kind}')(numbers, shape, strides, F32)


def from_state(initial, function=multi_step_from, settings=(None, DYNAMICS)):
    return function(X, initial, *settings)


def from_integers(initial):
    return from_state(initial, integer_multi_step_from, (0.5, 4))


class Wrong:
    def __init__(self, slope) -> None:
        self.slope = slope

    def derivative(self, x):
        return self.slope


def backward(slope):
    x = X.clone().requires_grad_()
    multi_step(x, None, Dynamics(1.0, 0.0, False, Wrong(slope))).sum().backward()


@dataclass(frozen=True)
class Nothing(Surrogate):
    alpha: float = 1.0


# What is called, and how its error begins; what lies between is at the dots.
MISTAKES = [
    (lambda: multi_step(X.int(), None, DYNAMICS), 'TypeError: ... torch.int32'),
    (lambda: potentials(X * 1j, None, DYNAMICS), 'TypeError: ... complex64'),
    (lambda: multi_step(X.to(torch.float8_e5m2), None, DYNAMICS), 'TypeError: ... one of torch.float32, ... but got torch.float8'),
    (lambda: multi_step(X.to_sparse(), None, DYNAMICS), 'NotImplementedError: ... strided'),
    (lambda: multi_step(torch.ones(()), None, DYNAMICS), 'ValueError: ... [T, ...]'),
    (lambda: spike_bytes(X[:0], None, DYNAMICS), 'ValueError: ... at least one step, but got shape (0, 3)'),
    (lambda: multi_step(X, torch.ones(3), DYNAMICS), 'ValueError: learned_decay must have shape (), but got (3,)'),
    (lambda: multi_step(X, META[0, 0], DYNAMICS), 'ValueError: learned_decay must be on the device of x_seq, cpu, but is on meta'),
    (lambda: multi_step(X, 1.5, DYNAMICS), 'ValueError: decay must be in (0, 1], but got 1.5'),
    (lambda: multi_step(X, math.nan, DYNAMICS), 'ValueError: decay ... got nan'),
    (lambda: raw(X, learned_decay=HALF, decay=0.5), 'ValueError: decay must be None with a learned decay, but got 0.5'),
    (lambda: raw(X, learned_decay=HALF.double()), 'TypeError: learned_decay must be torch.float32'),
    (lambda: raw(X, surrogate=9), 'ValueError: surrogate ... 9'),
    (lambda: raw(X.clone().requires_grad_()), 'ValueError: ... keep=True'),
    (lambda: gate(X, X[:1]), 'ValueError: shortcut must have shape (2, 3), but got (1, 3)'),
    (lambda: gate(X, X.bfloat16()), 'TypeError: shortcut must be torch.float32 ... but got torch.bfloat16'),
    (lambda: gate(X.byte(), X[:1].byte()), 'ValueError: shortcut must have shape (2, 3), but got (1, 3)'),
    (lambda: gate(X, META), 'ValueError: shortcut must be on the device of residual, cpu, but is on meta'),
    (lambda: integer_multi_step(X, 1.5, 4), 'ValueError: decay must be in [0, 1], but got 1.5'),
    (lambda: integer_multi_step(X, math.nan, 4), 'ValueError: decay ... got nan'),
    (lambda: integer_multi_step(X, 0.5, 0), 'ValueError: max_value must be at least 1, but got 0'),
    (lambda: unpack('bits', X, [6], [1]), 'TypeError: ... torch.uint8, but got torch.float32'),
    (lambda: unpack('bits', BYTES[:1], [3, 3], [3, 1]), 'ValueError: ... 2 contiguous bytes ... but got shape (1,)'),
    (lambda: unpack('bits', BYTES[::2], [16], [1]), 'ValueError: ... 2 contiguous bytes ... strides (2,)'),
    (lambda: unpack('bytes', BYTES, [4], [0]), 'ValueError: strides must fill the memory of shape (4,), but got (0,)'),
    (lambda: unpack('bits', BYTES, [4, 8], [16, 1]), 'ValueError: strides must fill the memory of shape (4, 8), but got (16, 1)'),
    # states
    *(
        row
        for call in (from_state, from_integers)
        for row in (
            (lambda call=call: call(X[0, :2]), 'ValueError: initial must have shape (3,), ... (2,)'),
            (lambda call=call: call(X[0].double()), 'TypeError: initial must be torch.float32 ... float64'),
            (lambda call=call: call(META[0]), 'ValueError: initial must be on the device of x_seq'),
        )
    ),
    # surrogates
    (lambda: Dynamics(1.0, 0.0, False, object()), 'TypeError: ... derivative(x), but got object'),
    (lambda: IF(2, surrogate=Surrogate(1.0)), 'TypeError: Surrogate must define derivative(x)'),
    (lambda: Nothing(), 'TypeError: Nothing must define derivative(x)'),
    (lambda: surrogate_slope(SurrogateKind.GIVEN, 1.0, X), 'ValueError: ... GIVEN'),
    (lambda: backward(X[0]), 'ValueError: slope must have shape (2, 3), but got (3,)'),
    (lambda: backward(X.double()), 'TypeError: slope must be torch.float32'),
    (lambda: backward(META), 'ValueError: slope ... is on meta'),
]  # fmt: skip


@pytest.mark.parametrize(
    ('mistake', 'expected'), MISTAKES, ids=[x for _, x in MISTAKES]
)
def test_mistake(mistake, expected, implementation) -> None:
    check_mistake(mistake, expected)


@pytest.mark.parametrize('function', [multi_step, gate, integer_multi_step])
def test_second_derivatives_are_refused(function) -> None:
    x = torch.rand(2, 3, requires_grad=True)
    settings = {
        multi_step: (None, DYNAMICS),
        gate: (X,),
        integer_multi_step: (0.5, 4),
    }[function]
    weights = torch.rand(2, 3, requires_grad=True)
    y = (function(x, *settings) * weights).sum()
    (grad,) = torch.autograd.grad(y, x, create_graph=True)
    with pytest.raises(NotImplementedError, match='differentiated twice'):
        grad.sum().backward()


VALUES = [math.nan, math.inf, -math.inf]


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize('value', VALUES)
@pytest.mark.parametrize('v_reset', [0.0, None])
@pytest.mark.parametrize('decay', [None, 0.5, torch.tensor(0.5)])
def test_what_is_not_finite_shows(decay, v_reset, value, dtype, implementation) -> None:
    """In its step, and in no other neuron; bytes cannot show it."""
    x = torch.full((3, 700), 3.0, dtype=dtype)
    x[1, 600] = value
    dynamics = Dynamics(1.0, v_reset, False, ATan())
    spikes = multi_step(x, decay, dynamics)
    assert spikes[1, 600].isnan()
    assert spikes[0].eq(1).all()
    spikes[:, 600] = 1
    assert spikes.eq(1).all()
    with pytest.raises(ValueError, match='not finite'):
        spike_bytes(x, decay, dynamics)


@pytest.mark.parametrize('value', VALUES)
def test_integers_show_what_is_not_finite(value, implementation) -> None:
    x = torch.ones(2, 5)
    x[0, 3] = value
    values = integer_multi_step(x, 0.5, 4)
    assert values[0].isnan().tolist() == [False, False, False, True, False]


def test_the_profiler_shows_the_operators() -> None:
    x = torch.rand(4, 3, requires_grad=True)
    with profile() as profiler:
        IF(2)(x).sum().backward()
    names = {event.key for event in profiler.key_averages()}
    assert {'mmsnn::multi_step', 'mmsnn::multi_step_backward'} <= names
