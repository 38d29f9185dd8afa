"""How a residual branch and its shortcut become one output."""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from mmsnn.models.layers import Unit
from mmsnn.models.neurons import BaseNeuron, Surrogate, build_surrogate, heaviside
from mmsnn.ops import gate
from mmsnn.utils import check_number, check_positive_int


class Merge(nn.Module):
    """Merge of a residual branch with its shortcut, both ``[T * N, C, H, W]``.

    Args:
        channels: Number of channels C of both inputs.

    Attributes:
        keeps_spikes: Whether spikes in {0, 1} merge to spikes in {0, 1}.
        adds: Whether it is the sum of its inputs, so that gradients pass unchanged.
    """

    keeps_spikes: ClassVar[bool] = True
    adds: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        """Forget what a base class says of its merge if a derived one merges anew."""
        super().__init_subclass__()
        if 'forward' in vars(cls):
            if 'expected_mean' not in vars(cls):
                cls.expected_mean = Merge.expected_mean  # type: ignore[method-assign]
            if 'adds' not in vars(cls):
                cls.adds = False

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = check_positive_int('channels', channels)

    def forward(self, residual: Tensor, shortcut: Tensor) -> Tensor:
        """Return the merged tensor, of the same shape."""
        raise NotImplementedError(f'{type(self).__name__} defines no forward')

    def expected_mean(self, residual: float, shortcut: float) -> float | None:
        """Return what the merge makes of independent spikes, on average.

        Args:
            residual: Firing rate of the branch.
            shortcut: Firing rate of the shortcut; for a sum any mean value.

        Returns:
            The mean value of the output; None if it is not known.
        """
        return None

    def init_identity(self, last: Unit) -> None:
        """Make the merge return the shortcut, by the last unit of the branch.

        A branch that is silent whatever its input does it for every merge but AND.

        Args:
            last: The branch's last unit.

        Raises:
            ValueError: If the unit's norm has no weight or no bias.
        """
        last.init_constant(0.0)


class AddMerge(Merge):
    """``y = residual + shortcut``; of spikes it makes integers (SEW paper, Table 1)."""

    keeps_spikes = False
    adds = True

    def forward(self, residual: Tensor, shortcut: Tensor) -> Tensor:
        """Return the sum."""
        return residual + shortcut

    def expected_mean(self, residual: float, shortcut: float) -> float:
        """Return ``p_h + p_x``, whether they are independent or not."""
        return residual + shortcut


class AndMerge(Merge):
    """``y = residual AND shortcut = residual * shortcut`` (SEW paper, Table 1)."""

    def forward(self, residual: Tensor, shortcut: Tensor) -> Tensor:
        """Return the product."""
        return residual * shortcut

    def expected_mean(self, residual: float, shortcut: float) -> float:
        """Return ``p_h p_x``."""
        return residual * shortcut

    def init_identity(self, last: Unit) -> None:
        """Let the branch fire at every step: silence would block the shortcut.

        Raises:
            TypeError: If it is not known how to make the branch's neurons fire.
            ValueError: If the unit's norm has no weight or no bias.
        """
        neuron = getattr(last, 'neuron', None)
        if not isinstance(neuron, BaseNeuron):
            raise TypeError(
                'the identity initialisation of AND needs neurons derived from '
                f'BaseNeuron, but got {type(neuron).__name__}'
            )
        last.init_constant(neuron.firing_current())


class IAndMerge(Merge):
    """``y = (NOT residual) AND shortcut = (1 - residual) * shortcut`` (SEW paper)."""

    def forward(self, residual: Tensor, shortcut: Tensor) -> Tensor:
        """Return the shortcut where the residual is 0."""
        return torch.addcmul(shortcut, residual, shortcut, value=-1)

    def expected_mean(self, residual: float, shortcut: float) -> float:
        """Return ``(1 - p_h) p_x``."""
        return (1 - residual) * shortcut


class GateMerge(Merge):
    r"""Binary selection gate BSG, whose gate is the residual spike itself.

    .. math:: y = g\,h + (1 - g)\,x, \quad g = h \;\Rightarrow\; y = h^2 + (1 - h)\,x

    (Zhang et al. 2023, Eqs. 12 and 15.) Of spikes it makes spikes, ``h OR x``, but the
    product form rules the gradient: :math:`\partial y / \partial h = 2h - x`,
    :math:`\partial y / \partial x = 1 - h`. A silent branch is the identity with
    gradient 1 (Eq. 16).
    """

    def forward(self, residual: Tensor, shortcut: Tensor) -> Tensor:
        """Return the gate's selection."""
        return gate(residual, shortcut)

    def expected_mean(self, residual: float, shortcut: float) -> float:
        """Return ``p_h + p_x - p_h p_x``."""
        return residual + shortcut - residual * shortcut


class LearnedGateMerge(Merge):
    r"""Binary selection gate BSG*, whose gate is a learned function of the residual.

    .. math:: y = g\,h + (1 - g)\,x, \quad g = \Theta(W h + B - thr)

    (Zhang et al. 2023, Eqs. 12 and 14), W and B of shape ``[1, C, 1, 1]``, 1 and 0 at
    the start. The paper does not give thr.

    Args:
        channels: Number of channels C.
        threshold: The paper's thr, in (0, 1], so that at the start a silent branch
            closes the gate and a firing one opens it.
        surrogate: Config of the step's derivative; None is the neurons' default.

    Raises:
        TypeError: If ``threshold`` is not a number.
        ValueError: If ``threshold`` is not in (0, 1].
    """

    def __init__(
        self,
        channels: int,
        threshold: float = 0.5,
        surrogate: Mapping[str, Any] | Surrogate | None = None,
    ) -> None:
        super().__init__(channels)
        self.threshold = check_number('gate_threshold', threshold)
        if not 0 < self.threshold <= 1:
            raise ValueError(f'gate_threshold must be in (0, 1], but got {threshold}')
        self.surrogate = build_surrogate(surrogate)
        self.weight = nn.Parameter(torch.ones(1, channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, residual: Tensor, shortcut: Tensor) -> Tensor:
        """Return the gate's selection."""
        drive = self.weight * residual + (self.bias - self.threshold)
        # under autocast the parameters are fp32: the gate selects spikes, and is theirs
        is_open = heaviside(drive, self.surrogate).to(residual.dtype)
        return torch.addcmul(shortcut, is_open, residual - shortcut)

    @torch.no_grad()
    def expected_mean(self, residual: float, shortcut: float) -> float:
        """Return ``p_h (a + (1 - a) p_x) + (1 - p_h) (1 - b) p_x``.

        The gate opens at a spike in the share a of the channels and without one in the
        share b: BSG's mean at the start, a = 1 and b = 0.
        """
        drive = self.bias - self.threshold
        a = (self.weight + drive >= 0).double().mean().item()
        b = (drive >= 0).double().mean().item()
        at_spike = residual * (a + (1 - a) * shortcut)
        return at_spike + (1 - residual) * (1 - b) * shortcut

    def extra_repr(self) -> str:
        """Show the settings in ``print(model)``."""
        return f'channels={self.channels}, threshold={self.threshold}'
