"""Checks of the operators' arguments, on real and on fake tensors."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .dynamics import SurrogateKind
from .layout import state_dtype
from .neuron_reference import Rule

DTYPES = (torch.float32, torch.float16, torch.bfloat16, torch.float64)


def check_floating(name: str, x: Tensor) -> None:
    """Check that a tensor is strided and of a floating dtype.

    Raises:
        TypeError: If it has another dtype.
        NotImplementedError: If it is sparse.
    """
    if x.dtype not in DTYPES:
        raise TypeError(
            f'{name} must be one of {", ".join(map(str, DTYPES))}, but got {x.dtype}'
        )
    if x.layout != torch.strided:
        raise NotImplementedError(f'{name} must be strided, but got {x.layout}')


def check_time_steps(name: str, x_seq: Tensor) -> None:
    """Check that a tensor is a floating sequence ``[T, ...]``.

    Raises:
        TypeError: If it has another dtype.
        NotImplementedError: If it is sparse.
        ValueError: If it has no time step.
    """
    check_floating(name, x_seq)
    if x_seq.dim() == 0 or x_seq.shape[0] == 0:
        raise ValueError(
            f'{name} must be [T, ...] of at least one step, but got shape '
            f'{tuple(x_seq.shape)}'
        )


def check_alike(
    first: tuple[str, Tensor],
    other: tuple[str, Tensor],
    shape: Sequence[Any] | None,
    dtype: torch.dtype,
) -> None:
    """Check device, dtype and shape of one of an operator's tensors.

    Args:
        first: Name and tensor to compare with.
        other: Name and tensor to check; it must be on the same device.
        shape: Required shape; None allows any.
        dtype: Required dtype.

    Raises:
        ValueError: If the device or the shape differs.
        TypeError: If the dtype differs.
    """
    (rules, x), (name, y) = first, other
    if y.device != x.device:
        raise ValueError(
            f'{name} must be on the device of {rules}, {x.device}, but is on {y.device}'
        )
    if y.dtype != dtype:
        raise TypeError(
            f'{name} must be {dtype} where {rules} is {x.dtype}, but got {y.dtype}'
        )
    if shape is not None and tuple(y.shape) != tuple(shape):
        raise ValueError(
            f'{name} must have shape {tuple(shape)}, but got {tuple(y.shape)}'
        )


def check_rule(first: tuple[str, Tensor], rule: Rule) -> None:
    """Check the arguments that all operators of spiking neurons share.

    Args:
        first: Name and tensor to compare with.
        rule: The shared arguments.

    Raises:
        ValueError: If both decays are given, the fixed one is not in (0, 1], the
            learned one is not 0-dim or is on another device, or the surrogate is not a
            :class:`SurrogateKind`.
        TypeError: If the learned decay does not have the dtype of the state.
    """
    if rule.surrogate not in SurrogateKind.__members__.values():
        raise ValueError(
            f'surrogate must be one of {list(SurrogateKind)}, but got {rule.surrogate}'
        )
    if rule.decay is not None and not 0 < rule.decay <= 1:
        raise ValueError(f'decay must be in (0, 1], but got {rule.decay}')
    if rule.learned_decay is not None:
        if rule.decay is not None:
            raise ValueError(
                f'decay must be None with a learned decay, but got {rule.decay}'
            )
        learned = ('learned_decay', rule.learned_decay)
        check_alike(first, learned, (), state_dtype(first[1].dtype))


__all__ = ['check_alike', 'check_floating', 'check_rule', 'check_time_steps']
