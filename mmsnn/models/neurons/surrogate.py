"""Surrogate derivatives of the Heaviside step, as immutable values.

A surrogate is plain data with one method, so that neurons' backward passes can apply it
in place; the formulas and their parameter are SpikingJelly's.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

from mmsnn.utils import check_positive, describe


@dataclass(frozen=True)
class Surrogate:
    """A smooth stand-in for the derivative of the Heaviside step.

    Args:
        alpha: Sharpness of the surrogate; positive, without unit.

    Raises:
        ValueError: If ``alpha`` is not positive and finite.
        TypeError: If ``alpha`` is not a number.
    """

    alpha: float

    def __post_init__(self) -> None:
        """Check and normalise ``alpha``."""
        alpha = check_positive(f'{type(self).__name__} alpha', self.alpha)
        object.__setattr__(self, 'alpha', alpha)

    def scale_(self, grad: Tensor, x: Tensor) -> Tensor:
        """Return ``grad`` times the surrogate derivative at ``x``.

        Args:
            grad: Gradient by the spikes.
            x: Distance to the threshold, ``h - v_threshold``, of the same shape. It is
                used as scratch memory: its values are lost.

        Returns:
            A tensor of the same shape; it may share memory with ``x``.
        """
        raise NotImplementedError(f'{type(self).__name__} defines no derivative')

    def derivative(self, x: Tensor) -> Tensor:
        """Return the surrogate derivative at ``x``, the distance to the threshold.

        Args:
            x: Any floating tensor; it is left as it is.

        Returns:
            A tensor of the same shape and dtype.
        """
        return self.scale_(torch.ones_like(x), x.clone())


@dataclass(frozen=True)
class ATan(Surrogate):
    r"""Arc tangent: :math:`\sigma'(x) = \frac{a}{1 + (\pi a x)^2}`, ``a = alpha / 2``.

    With the default ``alpha=2`` it is the SG ResNet paper's
    :math:`1 / (1 + (\pi x)^2)` (Zhang et al. 2023, Section 5).
    """

    alpha: float = 2.0

    def scale_(self, grad: Tensor, x: Tensor) -> Tensor:
        """See :meth:`Surrogate.scale_`."""
        a = self.alpha / 2
        # 1 / a + pi^2 a x^2 is the reciprocal of the derivative: one pass, one division
        inverse = torch.addcmul(x.new_full((), 1 / a), x, x, value=math.pi**2 * a)
        return torch.div(grad, inverse)


@dataclass(frozen=True)
class Sigmoid(Surrogate):
    r"""Logistic: :math:`\sigma'(x) = a\, s (1 - s)`, :math:`s = 1 / (1 + e^{-ax})`."""

    alpha: float = 4.0

    def scale_(self, grad: Tensor, x: Tensor) -> Tensor:
        """See :meth:`Surrogate.scale_`."""
        s = x.mul_(self.alpha).sigmoid_()
        return s.addcmul_(s, s, value=-1).mul_(self.alpha).mul_(grad)


@dataclass(frozen=True)
class Rectangular(Surrogate):
    r"""Rectangle: :math:`\sigma'(x) = a` where :math:`|x| < 1 / (2 a)`, else 0."""

    alpha: float = 1.0

    def scale_(self, grad: Tensor, x: Tensor) -> Tensor:
        """See :meth:`Surrogate.scale_`."""
        return torch.mul(grad, self.alpha).mul_(x.abs_() < 0.5 / self.alpha)


@dataclass(frozen=True)
class Constant(Surrogate):
    r"""Straight-through: :math:`\sigma'(x) = a` everywhere.

    With the default ``alpha=1`` it is "Constant 1" of the SEW paper's comparison of
    surrogates (Fang et al. 2021, A.5), where training fails with it.
    """

    alpha: float = 1.0

    def scale_(self, grad: Tensor, x: Tensor) -> Tensor:
        """See :meth:`Surrogate.scale_`."""
        return torch.mul(grad, self.alpha)


SURROGATES: dict[str, type[Surrogate]] = {
    'ATan': ATan,
    'Sigmoid': Sigmoid,
    'Rectangular': Rectangular,
    'Constant': Constant,
}


def build_surrogate(cfg: Mapping[str, Any] | Surrogate | None) -> Surrogate:
    """Build a surrogate from its config.

    Args:
        cfg: ``dict(type='ATan' | 'Sigmoid' | 'Rectangular' | 'Constant',
            alpha=...)``, a :class:`Surrogate`, or None for the papers'
            ``ATan(alpha=2)``.

    Raises:
        TypeError: If ``cfg`` is none of these.
        ValueError: If the type or a key is unknown.
    """
    if cfg is None:
        return ATan()
    if isinstance(cfg, Surrogate):
        return cfg
    if not isinstance(cfg, Mapping):
        raise TypeError(
            f'surrogate must be a dict with a type, but got {describe(cfg)}'
        )
    options = dict(cfg)
    name = options.pop('type', None)
    if name not in SURROGATES:
        raise ValueError(
            f'surrogate type must be one of {", ".join(SURROGATES)}, but got {name!r}'
        )
    unknown = set(options) - {'alpha'}
    if unknown:
        raise ValueError(
            f'surrogate {name} takes alpha only, but got {", ".join(sorted(unknown))}'
        )
    return SURROGATES[name](**options)


class _Heaviside(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, surrogate: Surrogate) -> Tensor:
        ctx.save_for_backward(x)
        ctx.surrogate = surrogate  # type: ignore[attr-defined]
        return (x >= 0).to(x.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        return ctx.surrogate.scale_(grad, x.clone()), None


def heaviside(x: Tensor, surrogate: Surrogate) -> Tensor:
    r"""Step :math:`\Theta(x) = [x \ge 0]` with a surrogate derivative.

    Args:
        x: Any floating tensor.
        surrogate: Used in the backward pass only.

    Returns:
        A tensor of zeros and ones, of the shape and dtype of ``x``.
    """
    return _Heaviside.apply(x, surrogate)
