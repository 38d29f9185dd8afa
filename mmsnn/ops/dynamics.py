"""Dynamics of spiking neurons and the built-in surrogate derivatives."""

import math
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor


class SurrogateKind(IntEnum):
    """Kind of surrogate derivative, the operators' argument ``surrogate``."""

    GIVEN = 0
    """Evaluated in PyTorch and passed to the operators as the tensor ``slope``."""
    ATAN = 1
    SIGMOID = 2
    RECTANGULAR = 3


class DifferentiableStep(Protocol):
    """Protocol of surrogates: an object with a derivative of the firing step."""

    def derivative(self, x: Tensor) -> Tensor:
        """Return the derivative at ``x = h - v_threshold``, of the same shape."""


def surrogate_kind(surrogate: DifferentiableStep) -> SurrogateKind:
    """Return the ``kind`` that a surrogate's own class states, a SurrogateKind.

    Subclasses do not inherit it, since they may compute another derivative.

    Raises:
        TypeError: If the surrogate has no derivative.
    """
    if not callable(getattr(surrogate, 'derivative', None)):
        raise TypeError(
            'a surrogate must have a method derivative(x), but got '
            f'{type(surrogate).__name__}'
        )
    kind = vars(type(surrogate)).get('kind')
    # a class may mean something else by that name
    return kind if isinstance(kind, SurrogateKind) else SurrogateKind.GIVEN


def surrogate_slope(kind: SurrogateKind, alpha: float, x: Tensor) -> Tensor:
    r"""Return a built-in surrogate's derivative.

    ===========  ==================================================================
    ATAN         :math:`\frac{a}{1 + (\pi a x)^2}`, :math:`a = \alpha / 2`
    SIGMOID      :math:`\alpha s (1 - s)`, :math:`s = 1 / (1 + e^{-\alpha x})`
    RECTANGULAR  :math:`\alpha` where :math:`|x| < 1 / (2 \alpha)`, else 0
    ===========  ==================================================================

    Args:
        kind: Any kind but GIVEN.
        alpha: Sharpness; positive and dimensionless.
        x: Distance to the threshold, ``h - v_threshold``; any floating tensor.

    Raises:
        ValueError: If ``kind`` is GIVEN.
    """
    if kind == SurrogateKind.ATAN:
        a = alpha / 2
        # the reciprocal of the derivative is computed in one pass
        one = torch.full((), 1 / a, dtype=x.dtype, device=x.device)
        return torch.addcmul(one, x, x, value=math.pi**2 * a).reciprocal()
    if kind == SurrogateKind.SIGMOID:
        s = torch.sigmoid(x * alpha)
        return torch.addcmul(s, s, s, value=-1) * alpha
    if kind == SurrogateKind.RECTANGULAR:
        return (x.abs() < 0.5 / alpha).to(x.dtype) * alpha
    raise ValueError(f'{kind!r} has no formula: its slope is given as a tensor')


@dataclass(frozen=True)
class Dynamics:
    """Dynamics of a neuron, apart from its decay.

    Args:
        v_threshold: Potential at which the neuron fires (``h >= v_threshold`` fires).
        v_reset: Potential after a spike; None subtracts the threshold (soft reset).
        detach_reset: Whether the spike in the reset is detached from the gradient.
        surrogate: Surrogate derivative of the firing step.
        decay_input: Whether the decay also applies to the input.

    Raises:
        TypeError: If the surrogate has no derivative.
    """

    v_threshold: float
    v_reset: float | None
    detach_reset: bool
    surrogate: DifferentiableStep
    decay_input: bool = True

    def __post_init__(self) -> None:
        """Check the surrogate, and cache properties that compilers cannot trace."""
        _ = self.kind, self.alpha

    @cached_property
    def kind(self) -> SurrogateKind:
        """The surrogate's kind."""
        return surrogate_kind(self.surrogate)

    @cached_property
    def alpha(self) -> float:
        """The surrogate's sharpness; 0 if it is evaluated in PyTorch."""
        return float(getattr(self.surrogate, 'alpha', 0.0)) if self.kind else 0.0

    @property
    def rest(self) -> float:
        """Resting potential, the initial state and the decay's limit."""
        return 0.0 if self.v_reset is None else self.v_reset


__all__ = [
    'DifferentiableStep',
    'Dynamics',
    'SurrogateKind',
    'surrogate_kind',
    'surrogate_slope',
]
