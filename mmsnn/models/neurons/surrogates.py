"""Surrogate derivatives of the Heaviside step, as frozen dataclasses.

The formulas and their parameter are those of SpikingJelly.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

from mmsnn.ops import SurrogateKind, surrogate_slope
from mmsnn.registry import SURROGATES
from mmsnn.utils import check_positive, describe


@dataclass(frozen=True)
class Surrogate:
    """Base of surrogates of the derivative of the Heaviside step.

    Derived classes define :meth:`derivative`, which is evaluated in PyTorch once for
    all time steps. Classes registered in :data:`mmsnn.registry.SURROGATES` can be used
    in configs by name. The built-in classes define a ``kind`` instead, whose formula
    the operators implement for these exact classes only, not for derived ones.

    Args:
        alpha: Sharpness of the surrogate; positive and dimensionless.

    Raises:
        ValueError: If ``alpha`` is not positive and finite.
        TypeError: If ``alpha`` is not a number, or the class has no derivative.
    """

    kind: ClassVar[SurrogateKind] = SurrogateKind.GIVEN
    alpha: float

    def __post_init__(self) -> None:
        """Check and normalise ``alpha``; check that there is a formula."""
        own = type(self).derivative is not Surrogate.derivative
        if self.kind == SurrogateKind.GIVEN and not own:
            raise TypeError(f'{type(self).__name__} must define derivative(x)')
        alpha = check_positive(f'{type(self).__name__} alpha', self.alpha)
        object.__setattr__(self, 'alpha', alpha)

    def derivative(self, x: Tensor) -> Tensor:
        """Return the surrogate derivative at ``x``, the distance to the threshold.

        Args:
            x: ``h - v_threshold``, any floating tensor; it is not changed.

        Returns:
            A tensor of the same shape and dtype.
        """
        return surrogate_slope(self.kind, self.alpha, x)


@SURROGATES.register_module()
@dataclass(frozen=True)
class ATan(Surrogate):
    r"""Arc tangent: :math:`\sigma'(x) = \frac{a}{1 + (\pi a x)^2}`, ``a = alpha / 2``.

    With the default ``alpha=2`` it is the SG ResNet paper's
    :math:`1 / (1 + (\pi x)^2)` (Zhang et al. 2023, Section 5).
    """

    kind: ClassVar[SurrogateKind] = SurrogateKind.ATAN
    alpha: float = 2.0


@SURROGATES.register_module()
@dataclass(frozen=True)
class Sigmoid(Surrogate):
    r"""Logistic: :math:`\sigma'(x) = a\, s (1 - s)`, :math:`s = 1 / (1 + e^{-ax})`."""

    kind: ClassVar[SurrogateKind] = SurrogateKind.SIGMOID
    alpha: float = 4.0


@SURROGATES.register_module()
@dataclass(frozen=True)
class Rectangular(Surrogate):
    r"""Rectangle: :math:`\sigma'(x) = a` where :math:`|x| < 1 / (2 a)`, else 0."""

    kind: ClassVar[SurrogateKind] = SurrogateKind.RECTANGULAR
    alpha: float = 1.0


@SURROGATES.register_module()
@dataclass(frozen=True)
class Constant(Surrogate):
    r"""Straight-through: :math:`\sigma'(x) = a` everywhere.

    With the default ``alpha=1`` it is "Constant 1" in the SEW paper's comparison of
    surrogates (Fang et al. 2021, A.5), where training with it fails.
    """

    alpha: float = 1.0

    def derivative(self, x: Tensor) -> Tensor:
        """Return ``alpha`` everywhere."""
        return torch.full_like(x, self.alpha)


def build_surrogate(cfg: Mapping[str, Any] | Surrogate | None) -> Surrogate:
    """Build a surrogate from its config.

    Args:
        cfg: ``dict(type='ATan', alpha=...)`` with the name of a class that is
            registered in :data:`mmsnn.registry.SURROGATES`, a :class:`Surrogate`, or
            None for the papers' ``ATan(alpha=2)``.

    Raises:
        TypeError: If ``cfg`` is none of these, or the class is not derived from
            :class:`Surrogate` or has no derivative.
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
    found = SURROGATES.get(name) if isinstance(name, str) else None
    if found is None:
        raise ValueError(
            f'surrogate type must be one of {", ".join(SURROGATES.module_dict)}, '
            f'but got {name!r}'
        )
    if not issubclass(found, Surrogate):
        raise TypeError(f'surrogate {name} must be derived from Surrogate')
    known = [field.name for field in fields(found)]
    unknown = set(options) - set(known)
    if unknown:
        raise ValueError(
            f'surrogate {name} takes {", ".join(known)} only, '
            f'but got {", ".join(sorted(unknown))}'
        )
    return found(**options)


class _Heaviside(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, surrogate: Surrogate) -> Tensor:
        ctx.save_for_backward(x)
        ctx.surrogate = surrogate  # type: ignore[attr-defined]
        # NaN if x is not finite, as in neurons
        return (x >= 0).to(x.dtype).add_(x, alpha=0)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        return grad * ctx.surrogate.derivative(x), None


def heaviside(x: Tensor, surrogate: Surrogate) -> Tensor:
    r"""Step :math:`\Theta(x) = [x \ge 0]` with a surrogate derivative.

    Args:
        x: Any floating tensor.
        surrogate: Used in the backward pass only.

    Returns:
        A tensor of zeros and ones with the shape and dtype of ``x``.
    """
    return _Heaviside.apply(x, surrogate)
