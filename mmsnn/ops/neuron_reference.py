"""Reference implementation of the neurons in PyTorch operations."""

from typing import NamedTuple

import torch
from torch import Tensor

from .dynamics import SurrogateKind, surrogate_slope
from .layout import sequence_like, state_dtype

SPOILED = (
    'spikes in bytes cannot hold NaN, but a potential is not finite: the input or the '
    'weights hold NaN or infinity'
)


class Rule(NamedTuple):
    """Arguments that all operators of spiking neurons share, in the schemas' order."""

    learned_decay: Tensor | None
    decay: float | None
    v_threshold: float
    v_reset: float | None
    decay_input: bool
    detach_reset: bool
    surrogate: int
    alpha: float

    @property
    def any_decay(self) -> Tensor | float | None:
        """The decay, learned or fixed; None for a neuron without decay."""
        return self.decay if self.learned_decay is None else self.learned_decay

    @property
    def rest(self) -> float:
        """Resting potential: the initial state, and the decay's limit."""
        return 0.0 if self.v_reset is None else self.v_reset


def multi_step(
    x_seq: Tensor, rule: Rule, keep: bool, as_bytes: bool
) -> tuple[Tensor, Tensor]:
    """Return spikes and, if ``keep``, potentials; see :func:`mmsnn.ops.multi_step`."""
    dtype = state_dtype(x_seq.dtype)
    spikes = sequence_like(x_seq, torch.uint8 if as_bytes else x_seq.dtype)
    potentials = sequence_like(x_seq if keep else x_seq[:1], dtype)
    scratch = torch.empty_like(potentials[0])
    finite = torch.ones((), dtype=torch.bool, device=x_seq.device)
    v = None
    for t, x in enumerate(x_seq):
        h = _charge(v, x, rule, out=potentials[t if keep else 0])
        fired = h >= rule.v_threshold
        spikes[t].copy_(fired)
        if as_bytes:
            finite &= h.isfinite().all()
        else:  # NaN if the potential is not finite
            spikes[t].add_(h, alpha=0)
        if t + 1 < len(x_seq):
            v = _reset(h, fired, rule, out=scratch)
    if as_bytes and not finite:
        raise ValueError(SPOILED)
    return spikes, potentials if keep else x_seq.new_empty(0, dtype=dtype)


def _charge(v: Tensor | None, x: Tensor, rule: Rule, out: Tensor) -> Tensor:
    """Write the potential before the spike to ``out``, in the dtype of ``out``.

    If ``v`` is None, the state is that before the first step, ``rest``.
    """
    decay, rest = rule.any_decay, rule.rest
    if decay is None or not rule.decay_input:
        if v is None:
            out.copy_(x)
            return out.add_(rest) if rest else out
        if decay is None:
            return torch.add(v, x, out=out)
        torch.mul(v, 1 - decay, out=out)
        return (out.add_(decay * rest) if rest else out).add_(x)
    if v is None:
        # not mul(x, decay, out=out), which rounds to the dtype of x before storing
        out.copy_(x).mul_(decay)
        return out.add_(rest) if rest else out
    torch.sub(x, v, out=out)
    if rest:
        out.add_(rest)
    out.mul_(decay)
    return out.add_(v)


def _reset(h: Tensor, fired: Tensor, rule: Rule, out: Tensor | None = None) -> Tensor:
    """Return the potential after the step, ``h`` reset where the neuron fired."""
    if rule.v_reset is None:
        return torch.add(h, fired, alpha=-rule.v_threshold, out=out)
    return torch.where(fired, h.new_full((), rule.v_reset), h, out=out)


def multi_step_backward(
    grad_spikes: Tensor, potentials: Tensor, rule: Rule, slope: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Return the gradients with respect to the currents and to a learned decay."""
    decay, learned = rule.any_decay, rule.learned_decay
    grad_x = sequence_like(potentials, grad_spikes.dtype)
    grad_decay = potentials.new_zeros(() if learned is not None else (0,))
    grad_v = None
    for t in reversed(range(len(potentials))):
        distance = potentials[t] - rule.v_threshold
        if slope is None:
            kind = SurrogateKind(rule.surrogate)
            slope_t = surrogate_slope(kind, rule.alpha, distance)
        else:
            slope_t = slope[t]
        grad_h = _grad_potential(
            grad_spikes[t].to(slope_t.dtype), potentials[t], slope_t, grad_v, rule
        )
        if learned is not None:
            grad_decay += _grad_decay(grad_h, potentials, t, learned, rule)
        if decay is None:
            grad_x[t].copy_(grad_h)
            grad_v = grad_h
        else:
            grad_x[t].copy_(grad_h * decay if rule.decay_input else grad_h)
            grad_v = grad_h.mul_(1 - decay)
    return grad_x, grad_decay


def _grad_potential(
    grad_spike: Tensor, h: Tensor, slope: Tensor, grad_v: Tensor | None, rule: Rule
) -> Tensor:
    """Return the gradient with respect to one step's ``h``, through spike and reset.

    ``grad_v``, the gradient with respect to the potential after the reset, is None at
    the last step.
    """
    if grad_v is None:
        return grad_spike * slope
    if not rule.detach_reset:
        if rule.v_reset is None:  # v = h - v_threshold * s
            grad_spike = torch.sub(grad_spike, grad_v, alpha=rule.v_threshold)
        else:  # v = h * (1 - s) + v_reset * s
            grad_spike = torch.addcmul(grad_spike, grad_v, h - rule.v_reset, value=-1)
    if rule.v_reset is not None:
        grad_v = grad_v.masked_fill(h >= rule.v_threshold, 0.0)
    return torch.addcmul(grad_v, grad_spike, slope)


def _grad_decay(
    grad_h: Tensor, potentials: Tensor, t: int, decay: Tensor, rule: Rule
) -> Tensor:
    """Return the contribution of step ``t`` to the decay's gradient."""
    v: Tensor | float = rule.rest
    if t > 0:
        h = potentials[t - 1]
        v = _reset(h, h >= rule.v_threshold, rule)
    if rule.decay_input:  # h - v = decay * (x - (v - rest))
        return (grad_h * (potentials[t] - v)).sum() / decay
    return (grad_h * (rule.rest - v)).sum()  # h - v = x - decay * (v - rest)


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
    dtype = state_dtype(x_seq.dtype)
    values = sequence_like(x_seq, x_seq.dtype)
    potentials = sequence_like(x_seq if keep else x_seq[:1], dtype)
    v = None
    for t, x in enumerate(x_seq):
        h = potentials[t if keep else 0]
        h.copy_(x if v is None else v.mul_(decay).add_(x))
        value = h.clamp(0, max_value).round_()
        v = h - value
        # NaN if the potential is not finite
        shown = value.div_(max_value) if normalize else value
        values[t].copy_(shown.add_(h, alpha=0))
    return values, potentials if keep else x_seq.new_empty(0, dtype=dtype)


def integer_multi_step_backward(
    grad_values: Tensor,
    potentials: Tensor,
    decay: float,
    max_value: int,
    normalize: bool,
    detach_reset: bool,
) -> Tensor:
    """Return the gradient with respect to the currents."""
    grad_x = sequence_like(potentials, grad_values.dtype)
    grad_v = torch.zeros_like(potentials[0])
    for t in reversed(range(len(potentials))):
        h = potentials[t]
        inside = (h >= 0) & (h <= max_value)
        grad = grad_values[t].to(h.dtype)
        grad_h = torch.where(inside, grad / max_value if normalize else grad, 0.0)
        grad_h += grad_v if detach_reset else grad_v.masked_fill(inside, 0.0)
        grad_x[t].copy_(grad_h)
        grad_v = grad_h.mul_(decay)
    return grad_x


__all__ = [
    'SPOILED',
    'Rule',
    'integer_multi_step',
    'integer_multi_step_backward',
    'multi_step',
    'multi_step_backward',
]
