"""Calls of the compiled functions of the integer neuron."""

import ctypes
from functools import lru_cache
from typing import Any

from torch import Tensor

from .layout import (
    dense_like,
    dense_steps,
    empty_potentials,
    matching_state,
    matching_steps,
    packed_sequence,
    step_like,
)
from .native import call


class _IntegerDynamics(ctypes.Structure):
    """``struct IntegerDynamics`` of spikes.cpp."""

    _fields_ = (
        ('decay', ctypes.c_float),
        ('max_value', ctypes.c_float),
        ('scale', ctypes.c_float),
        ('detached', ctypes.c_int32),
    )


@lru_cache
def _integer_dynamics(
    decay: float, max_value: int, normalize: bool, detach_reset: bool
) -> Any:
    scale = max_value if normalize else 1
    return ctypes.byref(_IntegerDynamics(decay, max_value, scale, detach_reset))


def integer_multi_step(x_seq: Tensor, *settings: Any) -> tuple[Tensor, Tensor]:
    """See :func:`mmsnn.ops.integer_reference.integer_multi_step`."""
    return _integer_multi_step(x_seq, None, None, *settings)


def integer_multi_step_from(
    x_seq: Tensor, initial: Tensor | None, *settings: Any
) -> tuple[Tensor, Tensor, Tensor]:
    """See :func:`mmsnn.ops.integer_reference.integer_multi_step_from`."""
    final = step_like(x_seq)
    return *_integer_multi_step(x_seq, initial, final, *settings), final


def _integer_multi_step(
    x_seq: Tensor,
    initial: Tensor | None,
    final: Tensor | None,
    decay: float,
    max_value: int,
    normalize: bool,
    detach_reset: bool,
    keep: bool,
) -> tuple[Tensor, Tensor]:
    x_seq = dense_steps(x_seq)
    values = dense_like(x_seq, x_seq.dtype)
    potentials = empty_potentials(x_seq, keep, dense_like)
    call(
        'integer_multi_step',
        x_seq.dtype,
        x_seq,
        x_seq.stride(0),
        matching_state(initial, x_seq),
        values,
        potentials if keep else None,
        final,
        len(x_seq),
        x_seq[0].numel(),
        _integer_dynamics(decay, max_value, normalize, detach_reset),
    )
    return values, potentials


def integer_multi_step_backward(
    grad_values: Tensor, potentials: Tensor, *settings: Any
) -> Tensor:
    """See :func:`mmsnn.ops.integer_reference.integer_multi_step_backward`."""
    return _integer_backward(grad_values, None, potentials, None, *settings)


def integer_multi_step_from_backward(
    grad_values: Tensor, grad_final: Tensor, potentials: Tensor, *settings: Any
) -> tuple[Tensor, Tensor]:
    """See :func:`mmsnn.ops.integer_reference.integer_multi_step_from_backward`."""
    grad_initial = step_like(potentials)
    grad_x = _integer_backward(
        grad_values, grad_final, potentials, grad_initial, *settings
    )
    return grad_x, grad_initial


def _integer_backward(
    grad_values: Tensor,
    grad_final: Tensor | None,
    potentials: Tensor,
    grad_initial: Tensor | None,
    decay: float,
    max_value: int,
    normalize: bool,
    detach_reset: bool,
) -> Tensor:
    potentials = packed_sequence(potentials)
    grad_values = matching_steps(grad_values, potentials)
    grad_x = dense_like(potentials, grad_values.dtype)
    call(
        'integer_multi_step_back',
        grad_values.dtype,
        grad_values,
        grad_values.stride(0),
        matching_state(grad_final, potentials),
        potentials,
        grad_x,
        grad_initial,
        len(potentials),
        potentials[0].numel(),
        _integer_dynamics(decay, max_value, normalize, detach_reset),
    )
    return grad_x


__all__ = [
    'integer_multi_step',
    'integer_multi_step_backward',
    'integer_multi_step_from',
    'integer_multi_step_from_backward',
]
