"""Merges of a residual branch with its shortcut."""

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
        keeps_spikes: Whether the output for spikes in {0, 1} is spikes in {0, 1}. Such
            a merge is a function of binary spikes: backbones refuse it with neurons
            whose spikes are integers.
        adds: Whether the merge is the sum of its inputs, so that gradients pass
            unchanged.
    """

    keeps_spikes: ClassVar[bool] = True
    adds: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        """Reset what is inherited about the merge if a class overrides ``forward``."""
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
        """Return the mean output for independent spikes.

        Args:
            residual: Firing rate of the branch.
            shortcut: Firing rate of the shortcut; for a sum, any mean value.

        Returns:
            The mean value of the output; None if it is not known.
        """
        return None

    def init_identity(self, last: Unit) -> None:
        """Initialise the last unit of the branch so that the merge is the identity.

        For every merge except AND, the branch must be silent for any input.

        Args:
            last: The branch's last unit.

        Raises:
            ValueError: If the unit's norm has no weight or no bias.
        """
        last.init_constant(0.0)


class AddMerge(Merge):
    """``y = residual + shortcut``, integers for spikes (SEW paper, Table 1)."""

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
        """Make the branch fire at every time step, since silence blocks the shortcut.

        Raises:
            TypeError: If the branch's neurons are not derived from ``BaseNeuron``.
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

    (Zhang et al. 2023, Eqs. 12 and 15.) For spikes the output is ``h OR x``, but the
    gradient is that of the product form: :math:`\partial y / \partial h = 2h - x`,
    :math:`\partial y / \partial x = 1 - h`. With a silent branch the merge is the
    identity with gradient 1 (Eq. 16).
    """

    def forward(self, residual: Tensor, shortcut: Tensor) -> Tensor:
        """Return the gate's selection."""
        return gate(residual, shortcut)

    def expected_mean(self, residual: float, shortcut: float) -> float:
        """Return ``p_h + p_x - p_h p_x``."""
        return residual + shortcut - residual * shortcut


def check_gate_threshold(name: str, value: Any) -> float:
    """Return the threshold of :class:`LearnedGateMerge` as a float.

    Raises:
        TypeError: If it is not a number.
        ValueError: If it is not in (0, 1].
    """
    threshold = check_number(name, value)
    if not 0 < threshold <= 1:
        raise ValueError(f'{name} must be in (0, 1], but got {value}')
    return threshold


class LearnedGateMerge(Merge):
    r"""Binary selection gate BSG*, whose gate is a learned function of the residual.

    .. math:: y = g\,h + (1 - g)\,x, \quad g = \Theta(W h + B - thr)

    (Zhang et al. 2023, Eqs. 12 and 14.) W and B have shape ``[1, C, 1, 1]`` and start
    at 1 and 0. The paper does not state thr.

    Args:
        channels: Number of channels C.
        threshold: The paper's thr, in (0, 1], so that initially a silent branch closes
            the gate and a firing one opens it.
        surrogate: Config of the step's surrogate derivative; None is the neurons'
            default.

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
        self.threshold = check_gate_threshold('threshold', threshold)
        self.surrogate = build_surrogate(surrogate)
        self.weight = nn.Parameter(torch.ones(1, channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, residual: Tensor, shortcut: Tensor) -> Tensor:
        """Return the gate's selection."""
        drive = self.weight * residual + (self.bias - self.threshold)
        # under autocast the parameters are fp32, but the gate needs the spikes' dtype
        is_open = heaviside(drive, self.surrogate).to(residual.dtype)
        return torch.addcmul(shortcut, is_open, residual - shortcut)

    @torch.no_grad()
    def expected_mean(self, residual: float, shortcut: float) -> float:
        """Return ``p_h (a + (1 - a) p_x) + (1 - p_h) (1 - b) p_x``.

        The gate opens with a spike in a share a of the channels, and without one in a
        share b. Initially a = 1 and b = 0, which is the mean of BSG.
        """
        drive = self.bias - self.threshold
        a = (self.weight + drive >= 0).double().mean().item()
        b = (drive >= 0).double().mean().item()
        at_spike = residual * (a + (1 - a) * shortcut)
        return at_spike + (1 - residual) * (1 - b) * shortcut

    def extra_repr(self) -> str:
        """Show the settings in ``print(model)``."""
        return f'channels={self.channels}, threshold={self.threshold}'
