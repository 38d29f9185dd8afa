"""The multi-step integer neuron (I-LIF) as an operator."""

from typing import Any

import torch
from torch import Tensor

from . import integer_reference, native, native_integer
from .checks import check_alike, check_time_steps
from .layout import empty_potentials, sequence_like, state_dtype
from .registration import (
    call_gradient,
    refuse_gradient,
    refuse_onnx,
    register,
    register_gradient,
)


def integer_multi_step(
    x_seq: Tensor,
    decay: float,
    max_value: int,
    normalize: bool = False,
    detach_reset: bool = False,
) -> Tensor:
    r"""Run integer neurons over a sequence of time steps.

    .. math::
        h_0 = x_0, \qquad h_t = \beta (h_{t-1} - c_{t-1}) + x_t, \qquad
        c_t = \mathrm{round}(\mathrm{clip}(h_t, 0, D))

    (Luo et al. 2024, *Integer-valued training and spike-driven inference spiking neural
    network*.) Halves are rounded to the nearest even integer. The gradient of :math:`c`
    with respect to :math:`h` is 1 where :math:`0 \le h \le D`, else 0. The state has at
    least fp32 precision. If a potential is not finite, the output is NaN.

    Args:
        x_seq: Input currents, ``[T, ...]``, any floating dtype, any strides.
        decay: The factor :math:`\beta` in [0, 1].
        max_value: The largest integer :math:`D`, at least 1.
        normalize: Whether the output is :math:`c / D`.
        detach_reset: Whether :math:`c` in the reset is detached from the gradient.

    Returns:
        Integers, divided by ``max_value`` if ``normalize``, with the shape and dtype of
        ``x_seq``; each time step keeps the input's memory format.

    Raises:
        TypeError: If ``x_seq`` is not a floating tensor.
        ValueError: If it has no time step, or an argument is out of range.
        NotImplementedError: If ``x_seq`` is sparse.
    """
    refuse_onnx()
    keep = x_seq.requires_grad and torch.is_grad_enabled()
    return torch.ops.mmsnn.integer_multi_step(
        x_seq, decay, max_value, normalize, detach_reset, keep
    )[0]


@torch.no_grad()
def integer_potentials(x_seq: Tensor, decay: float, max_value: int) -> Tensor:
    """Return the potentials before the reset, ``h`` of :func:`integer_multi_step`.

    Returns:
        ``[T, ...]``, in at least fp32 and without a graph.
    """
    refuse_onnx()
    return torch.ops.mmsnn.integer_multi_step(
        x_seq, decay, max_value, False, False, True
    )[1]


def check_settings(decay: float, max_value: int) -> None:
    """Check the settings of integer neurons."""
    if not 0 <= decay <= 1:
        raise ValueError(f'decay must be in [0, 1], but got {decay}')
    if max_value < 1:
        raise ValueError(f'max_value must be at least 1, but got {max_value}')


def _check(x_seq: Tensor, decay: float, max_value: int, *args: Any) -> None:
    check_time_steps('x_seq', x_seq)
    check_settings(decay, max_value)


def _fake(x_seq: Tensor, *args: Any) -> tuple[Tensor, Tensor]:
    return sequence_like(x_seq, x_seq.dtype), empty_potentials(x_seq, args[-1])


def _cpu(x_seq: Tensor, *args: Any) -> tuple[Tensor, Tensor]:
    function = native_integer if native.serves(x_seq) else integer_reference
    return function.integer_multi_step(x_seq, *args)


def check_backward(
    grad_values: Tensor, potentials: Tensor, decay: float, max_value: int, *args: Any
) -> None:
    """Check the arguments of the gradient."""
    check_time_steps('grad_values', grad_values)
    check_alike(
        ('grad_values', grad_values),
        ('potentials', potentials),
        grad_values.shape,
        state_dtype(grad_values.dtype),
    )
    check_settings(decay, max_value)


def _fake_backward(grad_values: Tensor, potentials: Tensor, *args: Any) -> Tensor:
    return sequence_like(potentials, grad_values.dtype)


def _cpu_backward(grad_values: Tensor, potentials: Tensor, *args: Any) -> Tensor:
    function = native_integer if native.serves(grad_values) else integer_reference
    return function.integer_multi_step_backward(grad_values, potentials, *args)


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    if not inputs[-1]:
        raise ValueError(
            'integer_multi_step needs keep=True for a gradient, but got False'
        )
    ctx.mark_non_differentiable(output[1])
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(output[1])
    ctx.settings = inputs[1:-1]


def _backward(
    ctx: Any, grad_values: Tensor | None, _: None
) -> tuple[Tensor | None, ...]:
    grad_x = None
    if grad_values is not None:
        grad_x = call_gradient(
            torch.ops.mmsnn.integer_multi_step_backward,
            grad_values,
            *ctx.saved_tensors,
            *ctx.settings,
        )
    return grad_x, *[None] * (1 + len(ctx.settings))


register(
    'integer_multi_step',
    'integer_neuron',
    _check,
    _fake,
    integer_reference.integer_multi_step,
    _cpu,
)
register_gradient('integer_multi_step', _backward, _setup_context)
register(
    'integer_multi_step_backward',
    'integer_neuron',
    check_backward,
    _fake_backward,
    integer_reference.integer_multi_step_backward,
    _cpu_backward,
)
refuse_gradient('integer_multi_step_backward')

__all__ = [
    'check_backward',
    'check_settings',
    'integer_multi_step',
    'integer_potentials',
]
