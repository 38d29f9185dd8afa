"""IF, LIF and PLIF neurons."""

import math
from dataclasses import replace
from typing import Unpack

import torch
from torch import Tensor, nn

from mmsnn.registry import MODELS
from mmsnn.utils import check_bool, check_number

from .base import BaseNeuron, NeuronOptions


@MODELS.register_module()
class IF(BaseNeuron):
    """Integrate-and-fire neuron, ``h = v + x`` (Zhang et al. 2023, Eq. 6).

    See :class:`BaseNeuron` for the arguments.
    """


class LeakyNeuronOptions(NeuronOptions, total=False):
    """Arguments of :class:`LeakyNeuron` other than ``num_steps``."""

    decay_input: bool


class LeakyNeuron(BaseNeuron):
    """Base of neurons whose potential decays.

    Args:
        num_steps: See :class:`BaseNeuron`.
        decay_input: Whether the decay also applies to the input; if False,
            ``h = v + x - (v - v_reset) / tau``.
        **options: The other arguments of :class:`BaseNeuron`.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        num_steps: int,
        decay_input: bool = True,
        **options: Unpack[NeuronOptions],
    ) -> None:
        super().__init__(num_steps, **options)
        decay_input = check_bool('decay_input', decay_input)
        self.dynamics = replace(self.dynamics, decay_input=decay_input)


@MODELS.register_module()
class LIF(LeakyNeuron):
    """Leaky integrate-and-fire neuron, ``h = v + (x - (v - v_reset)) / tau``.

    (Zhang et al. 2023, Eq. 5.)

    Args:
        num_steps: See :class:`BaseNeuron`.
        tau: Membrane time constant, in time steps; at least 1.
        **options: The other arguments of :class:`BaseNeuron` and :class:`LeakyNeuron`.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        num_steps: int,
        tau: float = 2.0,
        **options: Unpack[LeakyNeuronOptions],
    ) -> None:
        super().__init__(num_steps, **options)
        self.tau = check_number('tau', tau)
        if self.tau < 1:
            raise ValueError(f'tau must be at least 1, but got {tau}')

    def decay(self) -> float:
        """Return ``1 / tau``."""
        return 1 / self.tau

    def extra_repr(self) -> str:
        """Show the settings in ``print(model)``."""
        return f'tau={self.tau}, {super().extra_repr()}'


@MODELS.register_module()
class PLIF(LeakyNeuron):
    r"""LIF neuron with a learned time constant, one per layer.

    :math:`1 / \tau = \mathrm{sigmoid}(w)`, so :math:`\tau > 1` always (Fang et al.
    2021, *Incorporating learnable membrane time constant*).

    Args:
        num_steps: See :class:`BaseNeuron`.
        init_tau: Time constant at the start of training, in time steps; above 1.
        **options: The other arguments of :class:`BaseNeuron` and :class:`LeakyNeuron`.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        num_steps: int,
        init_tau: float = 2.0,
        **options: Unpack[LeakyNeuronOptions],
    ) -> None:
        super().__init__(num_steps, **options)
        init_tau = check_number('init_tau', init_tau)
        if init_tau <= 1:
            raise ValueError(f'init_tau must be above 1, but got {init_tau}')
        self.w = nn.Parameter(torch.tensor(-math.log(init_tau - 1)))

    def decay(self) -> Tensor:
        """Return ``1 / tau``, differentiable."""
        return self.w.sigmoid()

    def frozen(self) -> LIF:
        """Return a LIF neuron with the same time constant."""
        neuron = LIF(self.num_steps, tau=1 / float(self.decay().detach()))
        neuron.dynamics = self.dynamics
        neuron.in_bytes = self.in_bytes
        neuron.of_regions = self.of_regions
        return neuron.train(self.training)

    def extra_repr(self) -> str:
        """Show the settings in ``print(model)``."""
        return f'tau={1 / self.w.detach().sigmoid():.3g}, {super().extra_repr()}'


__all__ = ['IF', 'LIF', 'PLIF', 'LeakyNeuron']
