"""The binary selection gate in Triton, forward and backward, in at least fp32."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from ..layout import laid_out_alike, state_dtype
from .launching import BLOCK, OPTIONS, STATES, device_of, grid_of


@triton.jit
def _forward_kernel(
    residual: tl.tensor,
    shortcut: tl.tensor,
    out: tl.tensor,
    size: tl.int64,
    STATE: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    start = tl.program_id(0).to(tl.int64) * BLOCK
    lane = tl.arange(0, BLOCK)
    mask = lane < size - start
    h = tl.load(residual + start + lane, mask=mask).to(STATE)
    x = tl.load(shortcut + start + lane, mask=mask).to(STATE)
    tl.store(out + start + lane, x + h * (h - x), mask=mask)


@triton.jit
def _backward_kernel(
    grad: tl.tensor,
    residual: tl.tensor,
    shortcut: tl.tensor,
    grad_residual: tl.tensor,
    grad_shortcut: tl.tensor,
    size: tl.int64,
    STATE: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    start = tl.program_id(0).to(tl.int64) * BLOCK
    lane = tl.arange(0, BLOCK)
    mask = lane < size - start
    g = tl.load(grad + start + lane, mask=mask).to(STATE)
    h = tl.load(residual + start + lane, mask=mask).to(STATE)
    x = tl.load(shortcut + start + lane, mask=mask).to(STATE)
    tl.store(grad_residual + start + lane, g * (2.0 * h - x), mask=mask)
    tl.store(grad_shortcut + start + lane, g - g * h, mask=mask)


def gate(residual: Tensor, shortcut: Tensor) -> Tensor:
    """Run ``mmsnn::gate``, see :mod:`mmsnn.ops.gate`."""
    residual, shortcut = laid_out_alike(residual, shortcut)
    out = torch.empty_like(residual)
    size = out.numel()
    if size == 0:
        return out
    with device_of(out):
        _forward_kernel[grid_of(size)](
            residual,
            shortcut,
            out,
            size,
            STATE=STATES[state_dtype(out.dtype)],
            BLOCK=BLOCK,
            **OPTIONS,
        )
    return out


def gate_backward(
    grad: Tensor, residual: Tensor, shortcut: Tensor
) -> tuple[Tensor, Tensor]:
    """Run ``mmsnn::gate_backward``, see :mod:`mmsnn.ops.gate`."""
    residual, grad, shortcut = laid_out_alike(residual, grad, shortcut)
    grad_residual = torch.empty_like(residual)
    grad_shortcut = torch.empty_like(residual)
    size = residual.numel()
    if size == 0:
        return grad_residual, grad_shortcut
    with device_of(residual):
        _backward_kernel[grid_of(size)](
            grad,
            residual,
            shortcut,
            grad_residual,
            grad_shortcut,
            size,
            STATE=STATES[state_dtype(residual.dtype)],
            BLOCK=BLOCK,
            **OPTIONS,
        )
    return grad_residual, grad_shortcut


__all__ = ['gate', 'gate_backward']
