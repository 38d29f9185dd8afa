"""Decompositions of the operators into PyTorch's own, for exporters."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from .layout import state_dtype
from .neuron_reference import Rule


def decompositions() -> dict[Any, Callable[..., Any]]:
    """Return decompositions of the inference operators into ATen operators.

    The time steps are unrolled. Results are bit-identical to those of the operators,
    except that potentials that are not finite do not give NaN; networks with finite
    weights have none.

    Returns:
        A table for :meth:`torch.export.ExportedProgram.run_decompositions`, after which
        the exported program runs without mmsnn.
    """
    operators = torch.ops.mmsnn
    return {
        operators.multi_step.default: _multi_step,
        operators.multi_step_from.default: _multi_step_from,
        operators.integer_multi_step.default: _integer_multi_step,
        operators.integer_multi_step_from.default: _integer_multi_step_from,
        operators.gate.default: _gate,
    }


def _multi_step(x_seq: Tensor, *args: Any) -> tuple[Tensor, Tensor]:
    return _multi_step_from(x_seq, None, *args)[:2]


def _multi_step_from(
    x_seq: Tensor, v: Tensor | None, *args: Any
) -> tuple[Tensor, Tensor, Tensor]:
    *settings, keep, as_bytes = args
    rule = Rule(*settings)
    spikes, potentials = [], []
    for x in x_seq.to(state_dtype(x_seq.dtype)).unbind():
        h = _charge(v, x, rule)
        fired = h >= rule.v_threshold
        spikes.append(fired.to(torch.uint8 if as_bytes else x_seq.dtype))
        potentials.append(h)
        if rule.v_reset is None:
            v = final = h - rule.v_threshold * fired.to(h.dtype)
        else:
            v = final = torch.where(fired, rule.v_reset, h)
    return torch.stack(spikes), _kept(potentials, keep), final


def _charge(v: Tensor | None, x: Tensor, rule: Rule) -> Tensor:
    """Return the potential before the spike, rounded as the operator rounds it."""
    decay, rest = rule.any_decay, rule.rest
    if decay is None:
        return (x + rest if rest else x) if v is None else v + x
    if not rule.decay_input:
        if v is None:
            return x + rest if rest else x
        v = v * (1 - decay)
        return (v + decay * rest if rest else v) + x
    if v is None:
        return x * decay + rest if rest else x * decay
    distance = x - v + rest if rest else x - v
    return distance * decay + v


def _integer_multi_step(x_seq: Tensor, *args: Any) -> tuple[Tensor, Tensor]:
    return _integer_multi_step_from(x_seq, None, *args)[:2]


def _integer_multi_step_from(
    x_seq: Tensor,
    v: Tensor | None,
    decay: float,
    max_value: int,
    normalize: bool,
    detach_reset: bool,
    keep: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    values, potentials = [], []
    for x in x_seq.to(state_dtype(x_seq.dtype)).unbind():
        h = x if v is None else v * decay + x
        value = h.clamp(0, max_value).round()
        values.append((value / max_value if normalize else value).to(x_seq.dtype))
        potentials.append(h)
        v = final = h - value
    return torch.stack(values), _kept(potentials, keep), final


def _kept(potentials: list[Tensor], keep: bool) -> Tensor:
    return torch.stack(potentials) if keep else potentials[0].new_empty(0)


def _gate(residual: Tensor, shortcut: Tensor) -> Tensor:
    return torch.addcmul(shortcut, residual, residual - shortcut)


__all__ = ['decompositions']
