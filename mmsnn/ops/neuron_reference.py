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
    return _multi_step(x_seq, None, rule, keep, as_bytes, carry=False)[:2]


def multi_step_from(
    x_seq: Tensor, initial: Tensor | None, rule: Rule, keep: bool, as_bytes: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Return also the final state; see :func:`mmsnn.ops.multi_step_from`."""
    return _multi_step(x_seq, initial, rule, keep, as_bytes, carry=True)


def _multi_step(
    x_seq: Tensor,
    v: Tensor | None,
    rule: Rule,
    keep: bool,
    as_bytes: bool,
    carry: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    dtype = state_dtype(x_seq.dtype)
    spikes = sequence_like(x_seq, torch.uint8 if as_bytes else x_seq.dtype)
    potentials = sequence_like(x_seq if keep else x_seq[:1], dtype)
    scratch = torch.empty_like(potentials[0])
    finite = torch.ones((), dtype=torch.bool, device=x_seq.device)
    for t, x in enumerate(x_seq):
        h = _charge(v, x, rule, out=potentials[t if keep else 0])
        fired = h >= rule.v_threshold
        spikes[t].copy_(fired)
        if as_bytes:
            finite &= h.isfinite().all()
        else:  # NaN if the potential is not finite
            spikes[t].add_(h, alpha=0)
        if carry or t + 1 < len(x_seq):
            v = _reset(h, fired, rule, out=scratch)
    if as_bytes and not finite:
        raise ValueError(SPOILED)
    return spikes, potentials if keep else x_seq.new_empty(0, dtype=dtype), scratch


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
    return _backward(grad_spikes, None, potentials, None, rule, slope)[:2]


def multi_step_from_backward(
    grad_spikes: Tensor,
    grad_final: Tensor,
    potentials: Tensor,
    initial: Tensor | None,
    rule: Rule,
    slope: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return also the gradient with respect to the initial state."""
    grad_x, grad_decay, grad_v = _backward(
        grad_spikes, grad_final, potentials, initial, rule, slope
    )
    grad_initial = torch.empty_like(potentials[0])
    return (
        grad_x,
        grad_decay,
        grad_initial.copy_(grad_final if grad_v is None else grad_v),
    )


def _backward(
    grad_spikes: Tensor,
    grad_v: Tensor | None,
    potentials: Tensor,
    initial: Tensor | None,
    rule: Rule,
    slope: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor | None]:
    decay, learned = rule.any_decay, rule.learned_decay
    grad_x = sequence_like(potentials, grad_spikes.dtype)
    grad_decay = potentials.new_zeros(() if learned is not None else (0,))
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
            v = initial if t == 0 else _after(potentials[t - 1], rule)
            grad_decay += _grad_decay(grad_h, potentials[t], v, learned, rule)
        if decay is None:
            grad_x[t].copy_(grad_h)
            grad_v = grad_h
        else:
            grad_x[t].copy_(grad_h * decay if rule.decay_input else grad_h)
            grad_v = grad_h.mul_(1 - decay)
    return grad_x, grad_decay, grad_v


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


def _after(h: Tensor, rule: Rule) -> Tensor:
    """Return the potential after a step whose potential before the spike is ``h``."""
    return _reset(h, h >= rule.v_threshold, rule)


def _grad_decay(
    grad_h: Tensor, h: Tensor, v: Tensor | None, decay: Tensor, rule: Rule
) -> Tensor:
    """Return the contribution of a step to the decay's gradient.

    If ``v``, the potential before the step, is None, it is ``rest``.
    """
    before: Tensor | float = rule.rest if v is None else v
    if rule.decay_input:  # h - v = decay * (x - (v - rest))
        return (grad_h * (h - before)).sum() / decay
    return (grad_h * (rule.rest - before)).sum()  # h - v = x - decay * (v - rest)


__all__ = [
    'SPOILED',
    'Rule',
    'multi_step',
    'multi_step_backward',
    'multi_step_from',
    'multi_step_from_backward',
]
