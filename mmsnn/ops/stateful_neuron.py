"""Multi-step neurons that continue from a state, for sequences in several calls."""

from typing import Any

import torch
from torch import Tensor

from . import native, neuron_reference
from .checks import check_alike, check_rule, check_time_steps
from .dynamics import Dynamics, SurrogateKind
from .layout import empty_potentials, sequence_like, state_dtype, step_like
from .neuron import RULE_FIELDS, check_backward, of_flat, rule_settings, split_decay
from .neuron_reference import Rule
from .registration import (
    call_gradient,
    refuse_gradient,
    refuse_onnx,
    register,
    register_gradient,
)


def multi_step_from(
    x_seq: Tensor,
    v: Tensor | None,
    decay: Tensor | float | None,
    dynamics: Dynamics,
) -> tuple[Tensor, Tensor]:
    r"""Run neurons over time steps from a state, and return the state after them.

    The equations are those of :func:`mmsnn.ops.multi_step`, with :math:`v_0` given. The
    spikes of a sequence are bit-identical in one call and in several that each continue
    from the state that the previous call returned.

    Args:
        x_seq: Input currents, ``[T, ...]``, any floating dtype, any strides.
        v: Potentials :math:`v_0` after the reset of the step before, of the shape of
            ``x_seq[0]`` and in fp32 (fp64 for fp64 currents). None starts from rest.
        decay: ``1 / tau``, in (0, 1]; None for IF. A 0-dim tensor is learnable.
        dynamics: Threshold, reset and surrogate.

    Returns:
        Spikes with the shape and dtype of ``x_seq``, and the potentials :math:`v_T`
        after the last step. Gradients pass through both states; for truncated
        backpropagation, detach the state.

    Raises:
        TypeError: If ``x_seq`` or ``v`` has another dtype.
        ValueError: If ``x_seq`` has no time step, or ``v`` has another shape or is on
            another device.
        NotImplementedError: If ``x_seq`` is sparse.
    """
    inputs = (x_seq, v, decay)
    learns = any(isinstance(x, Tensor) and x.requires_grad for x in inputs)
    keep = learns and torch.is_grad_enabled()
    learned, fixed = split_decay(decay, x_seq)
    if keep and dynamics.kind == SurrogateKind.GIVEN:
        return _GivenSurrogate.apply(x_seq, v, learned, fixed, dynamics)
    spikes, _, final = _run(x_seq, v, learned, fixed, dynamics, keep, False)
    return spikes, final


@torch.no_grad()
def spike_bytes_from(
    x_seq: Tensor,
    v: Tensor | None,
    decay: Tensor | float | None,
    dynamics: Dynamics,
) -> tuple[Tensor, Tensor]:
    """Return the results of :func:`multi_step_from` with spikes as uint8.

    There is no graph, see :func:`mmsnn.ops.spike_bytes`.

    Raises:
        ValueError: If a potential is not finite, since uint8 cannot represent NaN.
    """
    spikes, _, final = _run(x_seq, v, *split_decay(decay, x_seq), dynamics, False, True)
    return spikes, final


def _run(
    x_seq: Tensor,
    v: Tensor | None,
    learned: Tensor | None,
    decay: float | None,
    dynamics: Dynamics,
    keep: bool,
    as_bytes: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    refuse_onnx()
    settings = rule_settings(dynamics)
    return torch.ops.mmsnn.multi_step_from(
        x_seq, v, learned, decay, *settings, keep, as_bytes
    )


class _GivenSurrogate(torch.autograd.Function):
    """Neurons whose surrogate is evaluated in PyTorch, once for all steps."""

    @staticmethod
    def forward(
        ctx: Any,
        x_seq: Tensor,
        v: Tensor | None,
        learned: Tensor | None,
        decay: float | None,
        dynamics: Dynamics,
    ) -> tuple[Tensor, Tensor]:
        spikes, h_seq, final = _run(x_seq, v, learned, decay, dynamics, True, False)
        ctx.save_for_backward(h_seq, v, learned)
        ctx.decay, ctx.dynamics = decay, dynamics
        return spikes, final

    @staticmethod
    def backward(
        ctx: Any, grad_spikes: Tensor, grad_final: Tensor
    ) -> tuple[Tensor | None, ...]:
        h_seq, v, learned = ctx.saved_tensors
        dynamics: Dynamics = ctx.dynamics
        slope = dynamics.surrogate.derivative(h_seq - dynamics.v_threshold)
        settings = (learned, ctx.decay, *rule_settings(dynamics))
        grads = torch.ops.mmsnn.multi_step_from_backward(
            grad_spikes, grad_final, h_seq, v, *settings, slope
        )
        return *_for_inputs(grads, v, learned), None, None


def _for_inputs(
    grads: tuple[Tensor, Tensor, Tensor], v: Tensor | None, learned: Tensor | None
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Return the gradients in the order of the inputs, None for what is not given."""
    grad_x, grad_decay, grad_v = grads
    return (
        grad_x,
        None if v is None else grad_v,
        None if learned is None else grad_decay,
    )


def check_state(first: tuple[str, Tensor], name: str, state: Tensor | None) -> None:
    """Check a state of the neurons that take the sequence ``first``.

    Raises:
        ValueError: If the shape is not that of a step, or the device differs.
        TypeError: If the dtype is not that of potentials.
    """
    if state is not None:
        x_seq = first[1]
        dtype = state_dtype(x_seq.dtype)
        check_alike(first, (name, state), x_seq.shape[1:], dtype)


def _check(
    x_seq: Tensor, initial: Tensor | None, rule: Rule, keep: bool, as_bytes: bool
) -> None:
    check_time_steps('x_seq', x_seq)
    check_rule(('x_seq', x_seq), rule)
    check_state(('x_seq', x_seq), 'initial', initial)


def _fake(
    x_seq: Tensor, initial: Tensor | None, rule: Rule, keep: bool, as_bytes: bool
) -> tuple[Tensor, Tensor, Tensor]:
    spikes = sequence_like(x_seq, torch.uint8 if as_bytes else x_seq.dtype)
    return spikes, empty_potentials(x_seq, keep), step_like(x_seq)


def _cpu(
    x_seq: Tensor, initial: Tensor | None, rule: Rule, keep: bool, as_bytes: bool
) -> tuple[Tensor, Tensor, Tensor]:
    function = native if native.serves(x_seq) else neuron_reference
    return function.multi_step_from(x_seq, initial, rule, keep, as_bytes)


def _check_backward(
    grad_spikes: Tensor,
    grad_final: Tensor,
    potentials: Tensor,
    initial: Tensor | None,
    rule: Rule,
    slope: Tensor | None,
) -> None:
    check_backward(grad_spikes, potentials, rule, slope)
    check_state(('grad_spikes', grad_spikes), 'grad_final', grad_final)
    check_state(('grad_spikes', grad_spikes), 'initial', initial)


def _fake_backward(
    grad_spikes: Tensor,
    grad_final: Tensor,
    potentials: Tensor,
    initial: Tensor | None,
    rule: Rule,
    slope: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor]:
    grad_decay = potentials.new_empty(0 if rule.learned_decay is None else ())
    grad_x = sequence_like(potentials, grad_spikes.dtype)
    return grad_x, grad_decay, step_like(potentials)


def _cpu_backward(grad_spikes: Tensor, *args: Any) -> tuple[Tensor, Tensor, Tensor]:
    function = native if native.serves(grad_spikes) else neuron_reference
    return function.multi_step_from_backward(grad_spikes, *args)


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    spikes, h_seq, final = output
    keep, as_bytes = inputs[-2:]
    if not keep and not as_bytes:
        raise ValueError(
            'multi_step_from needs keep=True for a gradient, but got False'
        )
    ctx.mark_non_differentiable(*(output if as_bytes else (h_seq,)))
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(h_seq, *inputs[1:3])
    ctx.settings = inputs[3 : 2 + RULE_FIELDS]
    ctx.dtype = spikes.dtype


def _backward(
    ctx: Any, grad_spikes: Tensor | None, _: None, grad_final: Tensor | None
) -> tuple[Tensor | None, ...]:
    rest = [None] * (1 + RULE_FIELDS)
    if grad_spikes is None and grad_final is None:
        return None, None, None, *rest
    h_seq, v, learned = ctx.saved_tensors
    if grad_spikes is None:
        grad_spikes = sequence_like(h_seq, ctx.dtype).zero_()
    if grad_final is None:
        grad_final = step_like(h_seq).zero_()
    grads = call_gradient(
        torch.ops.mmsnn.multi_step_from_backward,
        grad_spikes,
        grad_final,
        h_seq,
        v,
        learned,
        *ctx.settings,
        None,
    )
    return *_for_inputs(grads, v, learned), *rest


_forwards = (_check, _fake, neuron_reference.multi_step_from, _cpu)
register('multi_step_from', 'neuron', *(of_flat(function, 2) for function in _forwards))
register_gradient('multi_step_from', _backward, _setup_context)
_backwards = (
    _check_backward,
    _fake_backward,
    neuron_reference.multi_step_from_backward,
    _cpu_backward,
)
register(
    'multi_step_from_backward',
    'neuron',
    *(of_flat(function, 4) for function in _backwards),
)
refuse_gradient('multi_step_from_backward')

__all__ = ['check_state', 'multi_step_from', 'spike_bytes_from']
