"""The multi-step integer neuron (I-LIF) that continues from a state."""

from typing import Any

import torch
from torch import Tensor

from . import integer_reference, native, native_integer
from .checks import check_time_steps
from .integer_neuron import check_backward, check_settings
from .layout import empty_potentials, sequence_like, step_like
from .registration import (
    call_gradient,
    refuse_gradient,
    refuse_onnx,
    register,
    register_gradient,
)
from .stateful_neuron import check_state


def integer_multi_step_from(
    x_seq: Tensor,
    v: Tensor | None,
    decay: float,
    max_value: int,
    normalize: bool = False,
    detach_reset: bool = False,
) -> tuple[Tensor, Tensor]:
    r"""Run integer neurons from a state, and return the state after the last step.

    The equations are those of :func:`mmsnn.ops.integer_multi_step`; the state is
    :math:`v_t = h_t - c_t`. The integers of a sequence are bit-identical in one call
    and in several that each continue from the state that the previous call returned.

    Args:
        x_seq: Input currents, ``[T, ...]``, any floating dtype, any strides.
        v: State of the shape of ``x_seq[0]``, in fp32 (fp64 for fp64 currents). None
            starts from rest, 0.
        decay: The factor :math:`\beta` in [0, 1].
        max_value: The largest integer :math:`D`, at least 1.
        normalize: Whether the output is :math:`c / D`.
        detach_reset: Whether :math:`c` in the reset is detached from the gradient.

    Returns:
        Integers with the shape and dtype of ``x_seq``, and the state after the last
        step. Gradients pass through both states.

    Raises:
        TypeError: If ``x_seq`` or ``v`` has another dtype.
        ValueError: If an argument is out of range, ``x_seq`` has no time step, or ``v``
            has another shape or is on another device.
        NotImplementedError: If ``x_seq`` is sparse.
    """
    refuse_onnx()
    learns = x_seq.requires_grad or (v is not None and v.requires_grad)
    keep = learns and torch.is_grad_enabled()
    values, _, final = torch.ops.mmsnn.integer_multi_step_from(
        x_seq, v, decay, max_value, normalize, detach_reset, keep
    )
    return values, final


def _check(
    x_seq: Tensor, initial: Tensor | None, decay: float, max_value: int, *args: Any
) -> None:
    check_time_steps('x_seq', x_seq)
    check_settings(decay, max_value)
    check_state(('x_seq', x_seq), 'initial', initial)


def _fake(
    x_seq: Tensor, initial: Tensor | None, *args: Any
) -> tuple[Tensor, Tensor, Tensor]:
    values = sequence_like(x_seq, x_seq.dtype)
    return values, empty_potentials(x_seq, args[-1]), step_like(x_seq)


def _cpu(x_seq: Tensor, *args: Any) -> tuple[Tensor, Tensor, Tensor]:
    function = native_integer if native.serves(x_seq) else integer_reference
    return function.integer_multi_step_from(x_seq, *args)


def _check_backward(
    grad_values: Tensor, grad_final: Tensor, potentials: Tensor, *args: Any
) -> None:
    check_backward(grad_values, potentials, *args)
    check_state(('grad_values', grad_values), 'grad_final', grad_final)


def _fake_backward(
    grad_values: Tensor, grad_final: Tensor, potentials: Tensor, *args: Any
) -> tuple[Tensor, Tensor]:
    return sequence_like(potentials, grad_values.dtype), step_like(potentials)


def _cpu_backward(grad_values: Tensor, *args: Any) -> tuple[Tensor, Tensor]:
    function = native_integer if native.serves(grad_values) else integer_reference
    return function.integer_multi_step_from_backward(grad_values, *args)


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    values, h_seq, _ = output
    if not inputs[-1]:
        raise ValueError(
            'integer_multi_step_from needs keep=True for a gradient, but got False'
        )
    ctx.mark_non_differentiable(h_seq)
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(h_seq)
    ctx.has_state = inputs[1] is not None
    ctx.settings = inputs[2:-1]
    ctx.dtype = values.dtype


def _backward(
    ctx: Any, grad_values: Tensor | None, _: None, grad_final: Tensor | None
) -> tuple[Tensor | None, ...]:
    rest = [None] * (1 + len(ctx.settings))
    if grad_values is None and grad_final is None:
        return None, None, *rest
    (h_seq,) = ctx.saved_tensors
    if grad_values is None:
        grad_values = sequence_like(h_seq, ctx.dtype).zero_()
    if grad_final is None:
        grad_final = step_like(h_seq).zero_()
    grad_x, grad_v = call_gradient(
        torch.ops.mmsnn.integer_multi_step_from_backward,
        grad_values,
        grad_final,
        h_seq,
        *ctx.settings,
    )
    return grad_x, grad_v if ctx.has_state else None, *rest


register(
    'integer_multi_step_from',
    'integer_neuron',
    _check,
    _fake,
    integer_reference.integer_multi_step_from,
    _cpu,
)
register_gradient('integer_multi_step_from', _backward, _setup_context)
register(
    'integer_multi_step_from_backward',
    'integer_neuron',
    _check_backward,
    _fake_backward,
    integer_reference.integer_multi_step_from_backward,
    _cpu_backward,
)
refuse_gradient('integer_multi_step_from_backward')

__all__ = ['integer_multi_step_from']
