"""The integer LIF neuron in Triton, forward and backward.

As in ``neuron_kernels.py``, each program loops over the steps of ``BLOCK`` neurons.
"""

from typing import Any

import triton
import triton.language as tl
from torch import Tensor

from ..layout import (
    dense_steps,
    empty_potentials,
    matching_state,
    matching_steps,
    packed_sequence,
    sequence_like,
    state_dtype,
    step_like,
)
from .launching import BLOCK, OPTIONS, STATES, device_of, grid_of


@triton.jit
def _value(h: tl.tensor, max_value: tl.tensor) -> tl.tensor:
    """Return ``round(clip(h, 0, D))``, halves to even; always finite."""
    clipped = tl.where(h > 0.0, tl.where(h < max_value, h, max_value), 0.0)
    # floats this large have no fraction bits, so the addition rounds halves to even
    if h.dtype == tl.float64:
        return (clipped + 6755399441055744.0) - 6755399441055744.0
    return (clipped + 12582912.0) - 12582912.0


@triton.jit(do_not_specialize=['steps'])
def _forward_kernel(
    x: tl.tensor,
    values: tl.tensor,
    potentials: tl.tensor,
    initial: tl.tensor,
    final: tl.tensor,
    steps: tl.int32,
    size: tl.int64,
    x_step: tl.int64,
    decay: tl.float64,
    max_value: tl.float64,
    NORMALIZE: tl.constexpr,
    STATE: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    beta = tl.cast(decay, STATE)
    largest = tl.cast(max_value, STATE)
    start = tl.program_id(0).to(tl.int64) * BLOCK
    lane = tl.arange(0, BLOCK)
    mask = lane < size - start
    x += start
    values += start
    if potentials is not None:
        potentials += start
    h = tl.load(x + lane, mask=mask, other=0.0).to(STATE)
    if initial is not None:
        h = tl.load(initial + start + lane, mask=mask, other=0.0) * beta + h
    for t in range(steps):
        x += x_step
        current = tl.load(x + lane, mask=mask & (t + 1 < steps), other=0.0).to(STATE)
        if potentials is not None:
            tl.store(potentials + lane, h, mask=mask)
            potentials += size
        value = _value(h, largest)
        # NaN if h is not finite
        out = value + h * 0.0
        if NORMALIZE:
            out = out / largest if h.dtype == tl.float64 else tl.div_rn(out, largest)
        tl.store(values + lane, out, mask=mask)
        values += size
        v = h - value
        if final is not None:
            tl.store(final + start + lane, v, mask=mask & (t + 1 == steps))
        h = v * beta + current


@triton.jit(do_not_specialize=['steps'])
def _backward_kernel(
    grad: tl.tensor,
    grad_final: tl.tensor,
    potentials: tl.tensor,
    grad_x: tl.tensor,
    grad_initial: tl.tensor,
    steps: tl.int32,
    size: tl.int64,
    grad_step: tl.int64,
    decay: tl.float64,
    max_value: tl.float64,
    NORMALIZE: tl.constexpr,
    DETACHED: tl.constexpr,
    STATE: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    beta = tl.cast(decay, STATE)
    largest = tl.cast(max_value, STATE)
    start = tl.program_id(0).to(tl.int64) * BLOCK
    lane = tl.arange(0, BLOCK)
    mask = lane < size - start
    grad += start + (steps - 1) * grad_step
    potentials += start + (steps - 1) * size
    grad_x += start + (steps - 1) * size
    grad_v = tl.zeros([BLOCK], STATE)
    if grad_final is not None:
        grad_v = tl.load(grad_final + start + lane, mask=mask, other=0.0)
    for _ in range(steps):
        h = tl.load(potentials + lane, mask=mask, other=0.0)
        g = tl.load(grad + lane, mask=mask, other=0.0).to(STATE)
        if NORMALIZE:
            g = g / largest
        inside = (h >= 0.0) & (h <= largest)
        grad_h = tl.where(inside, g, 0.0)
        grad_h += grad_v if DETACHED else tl.where(inside, 0.0, grad_v)
        tl.store(grad_x + lane, grad_h, mask=mask)
        grad_v = grad_h * beta
        potentials -= size
        grad -= grad_step
        grad_x -= size
    if grad_initial is not None:
        tl.store(grad_initial + start + lane, grad_v, mask=mask)


def integer_multi_step(x_seq: Tensor, *settings: Any) -> tuple[Tensor, Tensor]:
    """Run ``mmsnn::integer_multi_step``, see :mod:`mmsnn.ops.integer_neuron`."""
    return _forward(x_seq, None, None, *settings)


def integer_multi_step_from(
    x_seq: Tensor, initial: Tensor | None, *settings: Any
) -> tuple[Tensor, Tensor, Tensor]:
    """Run ``mmsnn::integer_multi_step_from``, from a state."""
    final = step_like(x_seq)
    return *_forward(x_seq, initial, final, *settings), final


def _forward(
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
    state = state_dtype(x_seq.dtype)
    values = sequence_like(x_seq, x_seq.dtype)
    potentials = empty_potentials(x_seq, keep)
    if x_seq.numel() == 0:
        return values, potentials
    size = x_seq[0].numel()
    with device_of(x_seq):
        _forward_kernel[grid_of(size)](
            x_seq,
            values,
            potentials if keep else None,
            matching_state(initial, x_seq),
            final,
            len(x_seq),
            size,
            x_seq.stride(0),
            decay,
            float(max_value),
            NORMALIZE=normalize,
            STATE=STATES[state],
            BLOCK=BLOCK,
            **OPTIONS,
        )
    return values, potentials


def integer_multi_step_backward(
    grad_values: Tensor, potentials: Tensor, *settings: Any
) -> Tensor:
    """Run ``mmsnn::integer_multi_step_backward``, its gradient."""
    return _backward(grad_values, None, potentials, None, *settings)


def integer_multi_step_from_backward(
    grad_values: Tensor, grad_final: Tensor, potentials: Tensor, *settings: Any
) -> tuple[Tensor, Tensor]:
    """Run ``mmsnn::integer_multi_step_from_backward``, also for the initial state."""
    grad_initial = step_like(potentials)
    return _backward(
        grad_values, grad_final, potentials, grad_initial, *settings
    ), grad_initial


def _backward(
    grad_values: Tensor,
    grad_final: Tensor | None,
    potentials: Tensor,
    grad_initial: Tensor | None,
    decay: float,
    max_value: int,
    normalize: bool,
    detach_reset: bool,
) -> Tensor:
    grad_x = sequence_like(potentials, grad_values.dtype)
    if potentials.numel() == 0:
        return grad_x
    potentials = packed_sequence(potentials)
    grad_values = matching_steps(grad_values, potentials)
    size = potentials[0].numel()
    with device_of(potentials):
        _backward_kernel[grid_of(size)](
            grad_values,
            matching_state(grad_final, potentials),
            potentials,
            grad_x,
            grad_initial,
            len(potentials),
            size,
            grad_values.stride(0),
            decay,
            float(max_value),
            NORMALIZE=normalize,
            DETACHED=detach_reset,
            STATE=STATES[potentials.dtype],
            BLOCK=BLOCK,
            **OPTIONS,
        )
    return grad_x


__all__ = [
    'integer_multi_step',
    'integer_multi_step_backward',
    'integer_multi_step_from',
    'integer_multi_step_from_backward',
]
