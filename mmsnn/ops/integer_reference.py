"""Reference implementation of the integer neuron in PyTorch operations."""

import torch
from torch import Tensor

from .layout import sequence_like, state_dtype


def integer_multi_step(
    x_seq: Tensor,
    decay: float,
    max_value: int,
    normalize: bool,
    detach_reset: bool,
    keep: bool,
) -> tuple[Tensor, Tensor]:
    """Return integers and, if ``keep``, potentials.

    See :func:`mmsnn.ops.integer_multi_step`.
    """
    settings = (decay, max_value, normalize, detach_reset, keep)
    return integer_multi_step_from(x_seq, None, *settings)[:2]


def integer_multi_step_from(
    x_seq: Tensor,
    initial: Tensor | None,
    decay: float,
    max_value: int,
    normalize: bool,
    detach_reset: bool,
    keep: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return also the final state; see :func:`mmsnn.ops.integer_multi_step_from`."""
    dtype = state_dtype(x_seq.dtype)
    values = sequence_like(x_seq, x_seq.dtype)
    potentials = sequence_like(x_seq if keep else x_seq[:1], dtype)
    v = None if initial is None else initial.clone()
    for t, x in enumerate(x_seq):
        h = potentials[t if keep else 0]
        h.copy_(x if v is None else v.mul_(decay).add_(x))
        value = h.clamp(0, max_value).round_()
        v = h - value
        # NaN if the potential is not finite
        shown = value.div_(max_value) if normalize else value
        values[t].copy_(shown.add_(h, alpha=0))
    final = torch.empty_like(potentials[0])
    if v is not None:
        final.copy_(v)
    return values, potentials if keep else x_seq.new_empty(0, dtype=dtype), final


def integer_multi_step_backward(
    grad_values: Tensor,
    potentials: Tensor,
    decay: float,
    max_value: int,
    normalize: bool,
    detach_reset: bool,
) -> Tensor:
    """Return the gradient with respect to the currents."""
    start = torch.zeros_like(potentials[0])
    settings = (decay, max_value, normalize, detach_reset)
    return integer_multi_step_from_backward(grad_values, start, potentials, *settings)[
        0
    ]


def integer_multi_step_from_backward(
    grad_values: Tensor,
    grad_final: Tensor,
    potentials: Tensor,
    decay: float,
    max_value: int,
    normalize: bool,
    detach_reset: bool,
) -> tuple[Tensor, Tensor]:
    """Return the gradients with respect to the currents and to the initial state."""
    grad_x = sequence_like(potentials, grad_values.dtype)
    grad_v = grad_final
    for t in reversed(range(len(potentials))):
        h = potentials[t]
        inside = (h >= 0) & (h <= max_value)
        grad = grad_values[t].to(h.dtype)
        grad_h = torch.where(inside, grad / max_value if normalize else grad, 0.0)
        grad_h += grad_v if detach_reset else grad_v.masked_fill(inside, 0.0)
        grad_x[t].copy_(grad_h)
        grad_v = grad_h.mul_(decay)
    return grad_x, torch.empty_like(potentials[0]).copy_(grad_v)


__all__ = [
    'integer_multi_step',
    'integer_multi_step_backward',
    'integer_multi_step_from',
    'integer_multi_step_from_backward',
]
