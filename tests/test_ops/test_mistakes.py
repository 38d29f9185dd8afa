"""Arguments that operators do not take give one error with what is allowed."""

import math

import pytest
import torch
from torch.profiler import profile

from mmsnn.models.neurons import IF, ATan
from mmsnn.ops import (
    Dynamics,
    gate,
    integer_multi_step,
    multi_step,
    potentials,
    spike_bytes,
)

X = torch.rand(2, 3)
DYNAMICS = Dynamics(1.0, 0.0, False, ATan())
META = torch.rand(2, 3, device='meta')
BYTES = torch.arange(4, dtype=torch.uint8)


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


MISTAKES = {
    'integers': (lambda: multi_step(X.int(), None, DYNAMICS), TypeError, 'torch.int32'),
    'complex': (lambda: potentials(X * 1j, None, DYNAMICS), TypeError, 'complex64'),
    'float8': (
        lambda: multi_step(X.to(torch.float8_e5m2), None, DYNAMICS),
        TypeError,
        'one of torch.float32, .* but got torch.float8',
    ),
    'sparse': (
        lambda: multi_step(X.to_sparse(), None, DYNAMICS),
        NotImplementedError,
        'strided',
    ),
    'no dimension': (
        lambda: multi_step(torch.ones(()), None, DYNAMICS),
        ValueError,
        r'\[T, ...\]',
    ),
    'no step': (
        lambda: spike_bytes(X[:0], None, DYNAMICS),
        ValueError,
        r'at least one step, but got shape \(0, 3\)',
    ),
    'decays': (
        lambda: multi_step(X, torch.ones(3), DYNAMICS),
        ValueError,
        r'learned_decay must have shape \(\), but got \(3,\)',
    ),
    'decay elsewhere': (
        lambda: multi_step(X, META[0, 0], DYNAMICS),
        ValueError,
        'learned_decay must be on the device of x_seq, cpu, but is on meta',
    ),
    'two decays': (
        lambda: raw(X, learned_decay=torch.tensor(0.5), decay=0.5),
        ValueError,
        'decay must be None with a learned decay, but got 0.5',
    ),
    'dtype of a decay': (
        lambda: raw(X, learned_decay=torch.tensor(0.5).double()),
        TypeError,
        'learned_decay must be torch.float32',
    ),
    'no surrogate': (lambda: raw(X, surrogate=9), ValueError, 'surrogate .* 9'),
    'no gradient': (
        lambda: raw(X.clone().requires_grad_()),
        ValueError,
        'keep=True',
    ),
    'gate of shapes': (
        lambda: gate(X, X[:1]),
        ValueError,
        r'shortcut must have shape \(2, 3\), but got \(1, 3\)',
    ),
    'gate of dtypes': (
        lambda: gate(X, X.bfloat16()),
        TypeError,
        'shortcut must be torch.float32 .* but got torch.bfloat16',
    ),
    'gate of bytes of shapes': (
        lambda: gate(X.byte(), X[:1].byte()),
        ValueError,
        r'shortcut must have shape \(2, 3\), but got \(1, 3\)',
    ),
    'gate of devices': (
        lambda: gate(X, META),
        ValueError,
        'shortcut must be on the device of residual, cpu, but is on meta',
    ),
    'integer decay': (
        lambda: integer_multi_step(X, 1.5, 4),
        ValueError,
        r'decay must be in \[0, 1\], but got 1.5',
    ),
    'NaN as decay': (
        lambda: integer_multi_step(X, math.nan, 4),
        ValueError,
        'got nan',
    ),
    'no integer': (
        lambda: integer_multi_step(X, 0.5, 0),
        ValueError,
        'max_value must be at least 1, but got 0',
    ),
    'packed floats': (
        lambda: torch.ops.mmsnn.unpack_bits(X, [6], [1], torch.float32),
        TypeError,
        'torch.uint8, but got torch.float32',
    ),
    'too few bits': (
        lambda: torch.ops.mmsnn.unpack_bits(
            torch.zeros(1, dtype=torch.uint8), [3, 3], [3, 1], torch.float32
        ),
        ValueError,
        r'2 contiguous bytes .* but got shape \(1,\)',
    ),
    'bits with gaps': (
        lambda: torch.ops.mmsnn.unpack_bits(BYTES[::2], [16], [1], torch.float32),
        ValueError,
        r'2 contiguous bytes .* strides \(2,\)',
    ),
    'overlapping numbers': (
        lambda: torch.ops.mmsnn.unpack_bytes(BYTES, [4], [0], torch.float32),
        ValueError,
        r'strides must fill the memory of shape \(4,\), but got \(0,\)',
    ),
    'numbers with gaps': (
        lambda: torch.ops.mmsnn.unpack_bits(BYTES, [4, 8], [16, 1], torch.float32),
        ValueError,
        r'strides must fill the memory of shape \(4, 8\), but got \(16, 1\)',
    ),
}


@pytest.mark.parametrize('name', MISTAKES)
def test_mistakes(name, implementation) -> None:
    call, error, message = MISTAKES[name]
    with pytest.raises(error, match=message):
        call()


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
