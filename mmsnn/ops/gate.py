"""The binary selection gate as an operator."""

from typing import Any

import torch
from torch import Tensor

from . import native
from .checks import check_alike, check_floating
from .layout import laid_out_alike
from .registration import (
    call_gradient,
    refuse_gradient,
    refuse_onnx,
    register,
    register_gradient,
)


def gate(residual: Tensor, shortcut: Tensor) -> Tensor:
    r"""Return :math:`y = h^2 + (1 - h) x` of a residual ``h`` and a shortcut ``x``.

    Its gradients are :math:`\partial y / \partial h = 2h - x` and
    :math:`\partial y / \partial x = 1 - h` (Zhang et al. 2023, Eqs. 12 and 15).

    Args:
        residual: A floating tensor or integers, such as uint8 spikes.
        shortcut: A tensor of the same shape, dtype and device.

    Returns:
        A tensor with the memory layout of ``residual``.

    Raises:
        TypeError: If the dtypes of floating tensors differ.
        ValueError: If shapes or devices differ.
        NotImplementedError: If a tensor is sparse.
    """
    if not residual.is_floating_point():  # uint8 spikes have no gradient
        _check_shortcut(residual, shortcut, shortcut.dtype)
        return torch.addcmul(shortcut, residual, residual - shortcut)
    refuse_onnx()
    return torch.ops.mmsnn.gate(residual, shortcut)


def _check(residual: Tensor, shortcut: Tensor) -> None:
    check_floating('residual', residual)
    _check_shortcut(residual, shortcut, residual.dtype)


def _check_shortcut(residual: Tensor, shortcut: Tensor, dtype: torch.dtype) -> None:
    first, other = ('residual', residual), ('shortcut', shortcut)
    check_alike(first, other, residual.shape, dtype)


def _fake(residual: Tensor, shortcut: Tensor) -> Tensor:
    return torch.empty_like(residual)


def _reference(residual: Tensor, shortcut: Tensor) -> Tensor:
    difference = residual - shortcut
    y = torch.empty_like(residual)
    return torch.addcmul(shortcut, residual, difference, out=y)


def _cpu(residual: Tensor, shortcut: Tensor) -> Tensor:
    if not native.serves(residual):
        return _reference(residual, shortcut)
    return native.gate(*laid_out_alike(residual, shortcut))


def _check_backward(grad: Tensor, residual: Tensor, shortcut: Tensor) -> None:
    _check(residual, shortcut)
    check_alike(('residual', residual), ('grad', grad), residual.shape, residual.dtype)


def _fake_backward(
    grad: Tensor, residual: Tensor, shortcut: Tensor
) -> tuple[Tensor, Tensor]:
    return torch.empty_like(residual), torch.empty_like(residual)


def _reference_backward(
    grad: Tensor, residual: Tensor, shortcut: Tensor
) -> tuple[Tensor, Tensor]:
    grad_residual = torch.empty_like(residual)
    torch.sub(residual, shortcut, alpha=0.5, out=grad_residual).mul_(2).mul_(grad)
    grad_shortcut = torch.empty_like(residual)
    torch.addcmul(grad, grad, residual, value=-1, out=grad_shortcut)
    return grad_residual, grad_shortcut


def _cpu_backward(
    grad: Tensor, residual: Tensor, shortcut: Tensor
) -> tuple[Tensor, Tensor]:
    if not native.serves(residual):
        return _reference_backward(grad, residual, shortcut)
    residual, grad, shortcut = laid_out_alike(residual, grad, shortcut)
    return native.gate_backward(grad, residual, shortcut)


def _setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
    return call_gradient(torch.ops.mmsnn.gate_backward, grad, *ctx.saved_tensors)


register('gate', 'gate', _check, _fake, _reference, _cpu)
register_gradient('gate', _backward, _setup_context)
register(
    'gate_backward',
    'gate',
    _check_backward,
    _fake_backward,
    _reference_backward,
    _cpu_backward,
)
refuse_gradient('gate_backward')

__all__ = ['gate']
