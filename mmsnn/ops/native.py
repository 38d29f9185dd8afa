"""Calls of the compiled C++ functions, whose arguments are already checked."""

import ctypes
from functools import cache, lru_cache
from typing import Any

import torch
from torch import Tensor

from .build import library
from .layout import (
    dense_like,
    dense_steps,
    empty_potentials,
    matching_state,
    matching_steps,
    packed_sequence,
    step_like,
)
from .neuron_reference import SPOILED, Rule

_SUFFIXES = {torch.float32: 'f32', torch.bfloat16: 'bf16'}

_POINTER, _INT64, _INT = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int
_TYPES = {'p': _POINTER, 'n': _INT64, 'i': _INT}
# the result and the arguments of each function of spikes.cpp, without the threads
_PROTOTYPES: dict[str, tuple[Any, str]] = {
    'multi_step': (_INT, 'pnppppnnp'),
    'multi_step_bytes': (_INT, 'pnppppnnp'),
    'multi_step_back': (ctypes.c_double, 'pnppppppnnpi'),
    'integer_multi_step': (None, 'pnppppnnp'),
    'integer_multi_step_back': (None, 'pnppppnnp'),
    'gate': (None, 'pppn'),
    'gate_back': (None, 'pppppn'),
    'pack_bits': (_INT, 'ppn'),
    'unpack_bits': (None, 'ppn'),
    'pack_bytes': (_INT, 'ppn'),
    'unpack_bytes': (None, 'ppn'),
}


class _Dynamics(ctypes.Structure):
    """``struct Dynamics`` of spikes.cpp."""

    _fields_ = (
        *(
            (name, ctypes.c_float)
            for name in (
                'v_threshold',
                'v_reset',
                'rest',
                'decay',
                'keep',
                'rest_drive',
                'alpha',
            )
        ),
        *((name, ctypes.c_int32) for name in ('leak', 'soft', 'detached', 'surrogate')),
    )


def _dynamics(rule: Rule) -> Any:
    return _fixed_dynamics(rule) if rule.learned_decay is None else _struct(rule)


def _struct(rule: Rule) -> Any:
    decay = 0.0 if rule.any_decay is None else rule.any_decay
    return ctypes.byref(
        _Dynamics(
            v_threshold=rule.v_threshold,
            v_reset=rule.rest,
            rest=rule.rest,
            decay=float(decay),
            # as PyTorch computes them: in the precision of a learned decay
            keep=float(1 - decay),
            rest_drive=float(decay * rule.rest),
            alpha=rule.alpha,
            leak=0 if rule.any_decay is None else 1 if rule.decay_input else 2,
            soft=rule.v_reset is None,
            detached=rule.detach_reset,
            surrogate=rule.surrogate,
        )
    )


_fixed_dynamics = lru_cache(_struct)


def serves(x: Tensor) -> bool:
    """Return whether there are compiled functions for a CPU tensor."""
    return x.dtype in _SUFFIXES and x.numel() > 0 and library() is not None


@cache
def _function(name: str, dtype: torch.dtype) -> Any:
    function = getattr(library(), f'{name}_{_SUFFIXES[dtype]}')
    function.restype, arguments = _PROTOTYPES[name]
    function.argtypes = [*(_TYPES[letter] for letter in arguments), _INT]
    return function


def call(name: str, dtype: torch.dtype, *args: Any) -> Any:
    """Call a function of spikes.cpp, passing tensors by address.

    Args:
        name: A function without the suffix of its dtype.
        dtype: The dtype that it reads.
        args: Its arguments but the number of threads.
    """
    passed = [arg.data_ptr() if isinstance(arg, Tensor) else arg for arg in args]
    return _function(name, dtype)(*passed, torch.get_num_threads())


def multi_step(
    x_seq: Tensor, rule: Rule, keep: bool, as_bytes: bool
) -> tuple[Tensor, Tensor]:
    """See :func:`mmsnn.ops.neuron_reference.multi_step`."""
    return _multi_step(x_seq, None, None, rule, keep, as_bytes)


def multi_step_from(
    x_seq: Tensor, initial: Tensor | None, rule: Rule, keep: bool, as_bytes: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """See :func:`mmsnn.ops.neuron_reference.multi_step_from`."""
    final = step_like(x_seq)
    return *_multi_step(x_seq, initial, final, rule, keep, as_bytes), final


def _multi_step(
    x_seq: Tensor,
    initial: Tensor | None,
    final: Tensor | None,
    rule: Rule,
    keep: bool,
    as_bytes: bool,
) -> tuple[Tensor, Tensor]:
    x_seq = dense_steps(x_seq)
    spikes = dense_like(x_seq, torch.uint8 if as_bytes else x_seq.dtype)
    potentials = empty_potentials(x_seq, keep, dense_like)
    spoiled = call(
        'multi_step_bytes' if as_bytes else 'multi_step',
        x_seq.dtype,
        x_seq,
        x_seq.stride(0),
        matching_state(initial, x_seq),
        spikes,
        potentials if keep else None,
        final,
        len(x_seq),
        x_seq[0].numel(),
        _dynamics(rule),
    )
    if as_bytes and spoiled:
        raise ValueError(SPOILED)
    return spikes, potentials


def multi_step_backward(
    grad_spikes: Tensor, potentials: Tensor, rule: Rule, slope: Tensor | None
) -> tuple[Tensor, Tensor]:
    """See :func:`mmsnn.ops.neuron_reference.multi_step_backward`."""
    return _backward(grad_spikes, None, potentials, None, None, rule, slope)


def multi_step_from_backward(
    grad_spikes: Tensor,
    grad_final: Tensor,
    potentials: Tensor,
    initial: Tensor | None,
    rule: Rule,
    slope: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor]:
    """See :func:`mmsnn.ops.neuron_reference.multi_step_from_backward`."""
    grad_initial = step_like(potentials)
    grads = _backward(
        grad_spikes, grad_final, potentials, initial, grad_initial, rule, slope
    )
    return *grads, grad_initial


def _backward(
    grad_spikes: Tensor,
    grad_final: Tensor | None,
    potentials: Tensor,
    initial: Tensor | None,
    grad_initial: Tensor | None,
    rule: Rule,
    slope: Tensor | None,
) -> tuple[Tensor, Tensor]:
    potentials = packed_sequence(potentials)
    grad_spikes = matching_steps(grad_spikes, potentials)
    grad_x = dense_like(potentials, grad_spikes.dtype)
    learns = rule.learned_decay is not None
    grad_decay = call(
        'multi_step_back',
        grad_spikes.dtype,
        grad_spikes,
        grad_spikes.stride(0),
        matching_state(grad_final, potentials),
        potentials,
        matching_state(initial, potentials),
        None if slope is None else packed_sequence(matching_steps(slope, potentials)),
        grad_x,
        grad_initial,
        len(potentials),
        potentials[0].numel(),
        _dynamics(rule),
        learns,
    )
    if learns:
        return grad_x, potentials.new_full((), grad_decay)
    return grad_x, potentials.new_empty(0)


def gate(residual: Tensor, shortcut: Tensor) -> Tensor:
    """See :func:`mmsnn.ops.gate`; the tensors are dense and have the same layout."""
    y = torch.empty_like(residual)
    call('gate', residual.dtype, residual, shortcut, y, residual.numel())
    return y


def gate_backward(
    grad: Tensor, residual: Tensor, shortcut: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the gradients of :func:`gate`."""
    grads = torch.empty_like(residual), torch.empty_like(shortcut)
    call('gate_back', grad.dtype, grad, residual, shortcut, *grads, residual.numel())
    return grads


def pack(x: Tensor, name: str, size: int) -> tuple[Tensor, Tensor]:
    """Return a dense tensor packed into ``size`` bytes, and whether that is exact.

    Args:
        x: The tensor to pack.
        name: ``'pack_bits'`` or ``'pack_bytes'``.
        size: Number of bytes.
    """
    numbers = torch.empty(size, dtype=torch.uint8)
    exact = call(name, x.dtype, x, numbers, x.numel())
    return numbers, torch.tensor(bool(exact))


def unpack_(x: Tensor, name: str, numbers: Tensor) -> Tensor:
    """Fill a dense tensor with the numbers that :func:`pack` packed.

    Args:
        x: The tensor to fill.
        name: ``'unpack_bits'`` or ``'unpack_bytes'``.
        numbers: The packed bytes.
    """
    call(name, x.dtype, numbers, x, x.numel())
    return x


__all__ = [
    'call',
    'gate',
    'gate_backward',
    'multi_step',
    'multi_step_backward',
    'multi_step_from',
    'multi_step_from_backward',
    'pack',
    'serves',
    'unpack_',
]
