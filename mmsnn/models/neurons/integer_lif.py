"""Integer leaky integrate-and-fire neurons (I-LIF)."""

import torch
from torch import Tensor

from mmsnn.ops import (
    integer_multi_step,
    integer_multi_step_from,
    integer_potentials,
)
from mmsnn.registry import MODELS
from mmsnn.utils import check_bool, check_number, check_positive_int

from .base import BaseNeuron, SpikeValues


@MODELS.register_module()
class ILIF(BaseNeuron):
    r"""Integer LIF neuron (Luo et al. 2024, SpikeYOLO, Eqs. 7 to 9).

    .. math::
        h_t = \beta (h_{t-1} - c_{t-1}) + x_t, \qquad
        c_t = \mathrm{round}(\mathrm{clip}(h_t, 0, D))

    An integer c stands for c spikes of a network with D binary slots per time step, see
    :func:`mmsnn.deploy.expand_integer_spikes`. The gradient of :math:`c` with respect
    to :math:`h` is 1 where :math:`0 \le h \le D`, else 0.

    Args:
        num_steps: Number of time steps T; 1 is common.
        max_value: The largest integer D.
        decay: The factor :math:`\beta` in [0, 1]; a LIF neuron without ``decay_input``
            has :math:`\beta = 1 - 1 / \tau`.
        normalize: Whether the output is :math:`c / D`, as in Spike-Driven Transformer
            V3. The weights of the next layer can absorb the factor.
        detach_reset: Whether c in the reset is detached from the gradient.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        num_steps: int,
        max_value: int = 4,
        decay: float = 0.25,
        normalize: bool = False,
        detach_reset: bool = False,
    ) -> None:
        super().__init__(num_steps, v_reset=None, detach_reset=detach_reset)
        self.max_value = check_positive_int('max_value', max_value)
        self.beta = check_number('decay', decay)
        if not 0 <= self.beta <= 1:
            raise ValueError(f'decay must be in [0, 1], but got {decay}')
        self.normalize = check_bool('normalize', normalize)

    @property
    def spike_values(self) -> SpikeValues:
        """Kind of the spikes, ``'integer'`` or, for D = 1, ``'binary'``."""
        return 'integer' if self.max_value > 1 else 'binary'

    @property
    def spike_unit(self) -> float:
        """Value that stands for one spike in the output, ``1 / D`` if normalised."""
        return 1 / self.max_value if self.normalize else 1.0

    def decay(self) -> float:
        r"""Return :math:`1 / \tau = 1 - \beta`."""
        return 1 - self.beta

    def firing_current(self) -> float:
        r"""Return a constant current for which the neurons fire at every time step.

        A potential above 1/2 is rounded to a spike, and the fixed point of
        :math:`h = \beta (h - 1) + x` is above it for :math:`x > (1 + \beta) / 2`. The
        current is 1 % above, to allow for rounding.
        """
        return 1.01 * (1 + self.beta) / 2

    @property
    def _settings(self) -> tuple[float, int, bool, bool]:
        return self.beta, self.max_value, self.normalize, self.dynamics.detach_reset

    def fire(self, x_seq: Tensor) -> Tensor:
        """Return the integers for given currents."""
        if not self.in_bytes:
            return integer_multi_step(x_seq, *self._settings)
        with torch.no_grad():
            return _in_bytes(integer_multi_step(x_seq, *self._settings))

    def fire_from(self, x_seq: Tensor, v: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the integers and the state after them."""
        if not self.in_bytes:
            return integer_multi_step_from(x_seq, v, *self._settings)
        with torch.no_grad():
            values, v = integer_multi_step_from(x_seq, v, *self._settings)
            return _in_bytes(values), v

    def potentials(self, x: Tensor) -> Tensor:
        """Return the membrane potentials before the reset."""
        x_seq = self._unfold_from_rest(x)
        return integer_potentials(x_seq, self.beta, self.max_value).flatten(0, 1)

    def slopes(self, x: Tensor) -> Tensor:
        """Return 1 where the potential is in [0, D], else 0, times ``spike_unit``."""
        h = self.potentials(x)
        inside = (h >= 0) & (h <= self.max_value)
        return inside.to(h.dtype) * self.spike_unit

    def extra_repr(self) -> str:
        """Show the settings in ``print(model)``."""
        return (
            f'num_steps={self.num_steps}, max_value={self.max_value}, '
            f'decay={self.beta}, normalize={self.normalize}, '
            f'detach_reset={self.dynamics.detach_reset}'
        )


def _in_bytes(values: Tensor) -> Tensor:
    """Return integers as uint8."""
    if not values.isfinite().all():
        raise ValueError(
            'spikes in bytes cannot hold NaN, but a potential is not finite: the '
            'input or the weights hold NaN or infinity'
        )
    return values.to(torch.uint8)


__all__ = ['ILIF']
