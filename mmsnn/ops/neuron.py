"""Multi-step IF, LIF and PLIF neurons as operators."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from . import native, neuron_reference
from .checks import check_alike, check_rule, check_time_steps
from .dynamics import Dynamics, SurrogateKind
from .layout import empty_potentials, sequence_like, state_dtype
from .neuron_reference import Rule
from .registration import (
    call_gradient,
    refuse_gradient,
    refuse_onnx,
    register,
    register_gradient,
)

RULE_FIELDS = len(Rule._fields)


def multi_step(
    x_seq: Tensor, decay: Tensor | float | None, dynamics: Dynamics
) -> Tensor:
    r"""Run neurons over a sequence of time steps, starting from rest.

    .. math::
        h_t &= v_{t-1} + x_t \quad\text{(IF)}, \qquad
        h_t = v_{t-1} + k\,(x_t - (v_{t-1} - v_{reset})) \quad\text{(LIF)} \\
        s_t &= [h_t \ge v_{th}], \qquad
        v_t = h_t (1 - s_t) + v_{reset} s_t \quad\text{or}\quad h_t - v_{th} s_t

    (Zhang et al. 2023, Eqs. 5, 6, 8, 9; :math:`k = 1 / \tau`.) Without
    ``decay_input``, LIF is :math:`h_t = v_{t-1} + x_t - k\,(v_{t-1} - v_{reset})`
    (Wu et al. 2018, as in MS-ResNet). The state has at least fp32 precision for any
    input dtype, since potentials in bf16 would change spikes. If a potential is not
    finite, the output is NaN instead of a spike.

    Args:
        x_seq: Input currents, ``[T, ...]``, any floating dtype, any strides.
        decay: ``1 / tau``, in (0, 1]; None for IF. A 0-dim tensor is learnable.
        dynamics: Threshold, reset and surrogate.

    Returns:
        Spikes (0 or 1) with the shape and dtype of ``x_seq``; each time step keeps the
        input's memory format.

    Raises:
        TypeError: If ``x_seq`` is not a floating tensor.
        ValueError: If it has no time step, or the decay is not in (0, 1], not 0-dim or
            on another device.
        NotImplementedError: If ``x_seq`` is sparse.
    """
    learns = x_seq.requires_grad or (isinstance(decay, Tensor) and decay.requires_grad)
    keep = learns and torch.is_grad_enabled()
    learned, fixed = split_decay(decay, x_seq)
    if keep and dynamics.kind == SurrogateKind.GIVEN:
        return _GivenSurrogate.apply(x_seq, learned, fixed, dynamics)
    return _run(x_seq, learned, fixed, dynamics, keep=keep)[0]


@torch.no_grad()
def spike_bytes(
    x_seq: Tensor, decay: Tensor | float | None, dynamics: Dynamics
) -> Tensor:
    """Return the spikes of :func:`multi_step` as uint8, without a graph.

    They take a quarter of the memory of fp32 and are the input of int8 convolutions,
    see :func:`mmsnn.deploy.quantize_int8`.

    Raises:
        ValueError: If a potential is not finite, since uint8 cannot represent NaN.
    """
    return _run(x_seq, *split_decay(decay, x_seq), dynamics, as_bytes=True)[0]


@torch.no_grad()
def potentials(
    x_seq: Tensor, decay: Tensor | float | None, dynamics: Dynamics
) -> Tensor:
    """Return the potentials before the reset, ``h`` of :func:`multi_step`.

    Returns:
        ``[T, ...]``, in at least fp32 and without a graph. :func:`multi_step` has
        spikes where ``h >= v_threshold``.
    """
    return _run(x_seq, *split_decay(decay, x_seq), dynamics, keep=True)[1]


def split_decay(
    decay: Tensor | float | None, x_seq: Tensor
) -> tuple[Tensor | None, float | None]:
    """Return a learned decay, in the state's dtype, and a fixed one; one is None."""
    if isinstance(decay, Tensor):
        if not x_seq.is_floating_point():
            return decay, None
        return decay.to(state_dtype(x_seq.dtype)), None
    return None, decay


def _run(
    x_seq: Tensor,
    learned: Tensor | None,
    decay: float | None,
    dynamics: Dynamics,
    keep: bool = False,
    as_bytes: bool = False,
) -> tuple[Tensor, Tensor]:
    refuse_onnx()
    return torch.ops.mmsnn.multi_step(
        x_seq,
        learned,
        decay,
        *rule_settings(dynamics),
        keep,
        as_bytes,
    )


def rule_settings(
    dynamics: Dynamics,
) -> tuple[float, float | None, bool, bool, int, float]:
    """Return the operators' arguments that follow the decay."""
    return (
        dynamics.v_threshold,
        dynamics.v_reset,
        dynamics.decay_input,
        dynamics.detach_reset,
        int(dynamics.kind),
        dynamics.alpha,
    )


class _GivenSurrogate(torch.autograd.Function):
    """Neurons whose surrogate is evaluated in PyTorch, once for all steps."""

    @staticmethod
    def forward(
        ctx: Any,
        x_seq: Tensor,
        learned: Tensor | None,
        decay: float | None,
        dynamics: Dynamics,
    ) -> Tensor:
        spikes, h_seq = _run(x_seq, learned, decay, dynamics, keep=True)
        ctx.save_for_backward(h_seq, learned)
        ctx.decay, ctx.dynamics = decay, dynamics
        return spikes

    @staticmethod
    def backward(
        ctx: Any, grad_spikes: Tensor
    ) -> tuple[Tensor, Tensor | None, None, None]:
        h_seq, learned = ctx.saved_tensors
        dynamics: Dynamics = ctx.dynamics
        slope = dynamics.surrogate.derivative(h_seq - dynamics.v_threshold)
        grad_x, grad_decay = torch.ops.mmsnn.multi_step_backward(
            grad_spikes,
            h_seq,
            learned,
            ctx.decay,
            *rule_settings(dynamics),
            slope,
        )
        return grad_x, None if learned is None else grad_decay, None, None


def _check(x_seq: Tensor, rule: Rule, keep: bool, as_bytes: bool) -> None:
    check_time_steps('x_seq', x_seq)
    check_rule(('x_seq', x_seq), rule)


def _fake(
    x_seq: Tensor, rule: Rule, keep: bool, as_bytes: bool
) -> tuple[Tensor, Tensor]:
    spikes = sequence_like(x_seq, torch.uint8 if as_bytes else x_seq.dtype)
    return spikes, empty_potentials(x_seq, keep)


def _cpu(
    x_seq: Tensor, rule: Rule, keep: bool, as_bytes: bool
) -> tuple[Tensor, Tensor]:
    function = native if native.serves(x_seq) else neuron_reference
    return function.multi_step(x_seq, rule, keep, as_bytes)


def check_backward(
    grad_spikes: Tensor, potentials: Tensor, rule: Rule, slope: Tensor | None
) -> None:
    """Check the arguments of the gradient."""
    check_time_steps('grad_spikes', grad_spikes)
    first = ('grad_spikes', grad_spikes)
    state = state_dtype(grad_spikes.dtype)
    check_alike(first, ('potentials', potentials), grad_spikes.shape, state)
    check_rule(first, rule)
    if (slope is None) != (rule.surrogate != SurrogateKind.GIVEN):
        raise ValueError(
            f'slope must be given for surrogate {SurrogateKind.GIVEN!r} and for no '
            f'other, but surrogate is {SurrogateKind(rule.surrogate)!r}'
        )
    if slope is not None:
        check_alike(first, ('slope', slope), grad_spikes.shape, state)


def _fake_backward(
    grad_spikes: Tensor, potentials: Tensor, rule: Rule, slope: Tensor | None
) -> tuple[Tensor, Tensor]:
    grad_decay = potentials.new_empty(0 if rule.learned_decay is None else ())
    return sequence_like(potentials, grad_spikes.dtype), grad_decay


def _cpu_backward(
    grad_spikes: Tensor, potentials: Tensor, rule: Rule, slope: Tensor | None
) -> tuple[Tensor, Tensor]:
    function = native if native.serves(grad_spikes) else neuron_reference
    return function.multi_step_backward(grad_spikes, potentials, rule, slope)


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    spikes, h_seq = output
    keep, as_bytes = inputs[-2:]
    if not keep and not as_bytes:
        raise ValueError('multi_step needs keep=True for a gradient, but got False')
    ctx.mark_non_differentiable(*((spikes, h_seq) if as_bytes else (h_seq,)))
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(h_seq, inputs[1])
    ctx.settings = inputs[2 : 1 + RULE_FIELDS]


def _backward(
    ctx: Any, grad_spikes: Tensor | None, _: None
) -> tuple[Tensor | None, ...]:
    grad_x = grad_decay = None
    if grad_spikes is not None:
        h_seq, learned = ctx.saved_tensors
        grad_x, grad_decay = call_gradient(
            torch.ops.mmsnn.multi_step_backward,
            grad_spikes,
            h_seq,
            learned,
            *ctx.settings,
            None,
        )
        if learned is None:
            grad_decay = None
    return grad_x, grad_decay, *[None] * (1 + RULE_FIELDS)


def of_flat(function: Callable[..., Any], tensors: int) -> Callable[..., Any]:
    """Wrap a function of a :class:`Rule` to take the operator's flat arguments.

    Args:
        function: Takes tensors, a rule and other arguments.
        tensors: Number of tensors before the rule.
    """
    end = tensors + RULE_FIELDS

    def call(*args: Any) -> Any:
        return function(*args[:tensors], Rule(*args[tensors:end]), *args[end:])

    return call


_forwards = (_check, _fake, neuron_reference.multi_step, _cpu)
register('multi_step', 'neuron', *(of_flat(function, 1) for function in _forwards))
register_gradient('multi_step', _backward, _setup_context)
_backwards = (
    check_backward,
    _fake_backward,
    neuron_reference.multi_step_backward,
    _cpu_backward,
)
register(
    'multi_step_backward', 'neuron', *(of_flat(function, 2) for function in _backwards)
)
refuse_gradient('multi_step_backward')

__all__ = [
    'RULE_FIELDS',
    'check_backward',
    'multi_step',
    'of_flat',
    'potentials',
    'rule_settings',
    'spike_bytes',
    'split_decay',
]
