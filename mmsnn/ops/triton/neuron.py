"""Multi-step IF, LIF and PLIF neurons on a GPU, forward and backward."""

from typing import Any

import torch
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
from ..neuron_reference import SPOILED
from .launching import BLOCK, OPTIONS, STATES, device_of, grid_of
from .neuron_kernels import backward_kernel, forward_kernel


def multi_step(x_seq: Tensor, *settings: Any) -> tuple[Tensor, Tensor]:
    """Run ``mmsnn::multi_step``, see :mod:`mmsnn.ops.neuron`.

    If ``as_bytes`` and a potential is not finite, a device-side assertion fails at the
    next synchronisation, since uint8 cannot represent NaN.
    """
    return _forward(x_seq, None, None, *settings)


def multi_step_from(
    x_seq: Tensor, initial: Tensor | None, *settings: Any
) -> tuple[Tensor, Tensor, Tensor]:
    """Run ``mmsnn::multi_step_from``, see :mod:`mmsnn.ops.stateful_neuron`."""
    final = step_like(x_seq)
    return *_forward(x_seq, initial, final, *settings), final


def _forward(
    x_seq: Tensor,
    initial: Tensor | None,
    final: Tensor | None,
    learned_decay: Tensor | None,
    decay: float | None,
    v_threshold: float,
    v_reset: float | None,
    decay_input: bool,
    detach_reset: bool,
    surrogate: int,
    alpha: float,
    keep: bool,
    as_bytes: bool,
) -> tuple[Tensor, Tensor]:
    x_seq = dense_steps(x_seq)
    state = state_dtype(x_seq.dtype)
    spikes = sequence_like(x_seq, torch.uint8 if as_bytes else x_seq.dtype)
    potentials = empty_potentials(x_seq, keep)
    if x_seq.numel() == 0:
        return spikes, potentials
    finite = x_seq.new_ones((), dtype=torch.bool) if as_bytes else None
    size = x_seq[0].numel()
    k = decay or 0.0
    rest = v_reset or 0.0
    with device_of(x_seq):
        forward_kernel[grid_of(size)](
            x_seq,
            spikes,
            potentials if keep else None,
            finite,
            matching_state(initial, x_seq),
            final,
            learned_decay,
            len(x_seq),
            size,
            x_seq.stride(0),
            v_threshold,
            rest,
            k,
            1 - k,
            k * rest,
            LEAKS=decay is not None or learned_decay is not None,
            DECAY_INPUT=decay_input,
            SOFT=v_reset is None,
            STATE=STATES[state],
            BLOCK=BLOCK,
            **OPTIONS,
        )
        if finite is not None:
            torch._assert_async(finite, SPOILED)
    return spikes, potentials


def multi_step_backward(
    grad_spikes: Tensor, potentials: Tensor, *settings: Any
) -> tuple[Tensor, Tensor]:
    """Run ``mmsnn::multi_step_backward``, see :mod:`mmsnn.ops.neuron`.

    The gradient of the decay is deterministic: each program writes the sum over its
    neurons, and PyTorch adds these sums in a fixed order.
    """
    return _backward(grad_spikes, None, potentials, None, None, *settings)


def multi_step_from_backward(
    grad_spikes: Tensor,
    grad_final: Tensor,
    potentials: Tensor,
    initial: Tensor | None,
    *settings: Any,
) -> tuple[Tensor, Tensor, Tensor]:
    """Run ``mmsnn::multi_step_from_backward``, also for the initial state."""
    grad_initial = step_like(potentials)
    grads = _backward(
        grad_spikes, grad_final, potentials, initial, grad_initial, *settings
    )
    return *grads, grad_initial


def _backward(
    grad_spikes: Tensor,
    grad_final: Tensor | None,
    potentials: Tensor,
    initial: Tensor | None,
    grad_initial: Tensor | None,
    learned_decay: Tensor | None,
    decay: float | None,
    v_threshold: float,
    v_reset: float | None,
    decay_input: bool,
    detach_reset: bool,
    surrogate: int,
    alpha: float,
    slope: Tensor | None,
) -> tuple[Tensor, Tensor]:
    grad_x = sequence_like(potentials, grad_spikes.dtype)
    size = potentials[0].numel()
    grid = grid_of(size)
    learns = learned_decay is not None
    sums = potentials.new_zeros(grid if learns else (0,))
    if potentials.numel() > 0:
        potentials = packed_sequence(potentials)
        grad_spikes = matching_steps(grad_spikes, potentials)
        slope = None if slope is None else matching_steps(slope, potentials)
        k = decay or 0.0
        with device_of(potentials):
            backward_kernel[grid](
                grad_spikes,
                matching_state(grad_final, potentials),
                potentials,
                matching_state(initial, potentials),
                slope,
                grad_x,
                grad_initial,
                sums if learns else None,
                learned_decay,
                len(potentials),
                size,
                grad_spikes.stride(0),
                0 if slope is None else slope.stride(0),
                v_threshold,
                v_reset or 0.0,
                k,
                1 - k,
                alpha,
                LEAKS=decay is not None or learns,
                DECAY_INPUT=decay_input,
                SOFT=v_reset is None,
                DETACHED=detach_reset,
                SURROGATE=int(surrogate),
                STATE=STATES[potentials.dtype],
                BLOCK=BLOCK,
                **OPTIONS,
            )
    if learned_decay is None:
        return grad_x, sums
    total = sums.sum(dtype=torch.float64).to(learned_decay.dtype)
    return grad_x, total / learned_decay if decay_input else total


__all__ = [
    'multi_step',
    'multi_step_backward',
    'multi_step_from',
    'multi_step_from_backward',
]
