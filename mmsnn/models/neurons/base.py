"""Base of neurons, modules without state between calls."""

from collections.abc import Mapping
from typing import Any, Literal, TypedDict

import torch
from torch import Tensor, nn

from mmsnn.models.build import build_part
from mmsnn.ops import (
    Dynamics,
    multi_step,
    multi_step_from,
    potentials,
    spike_bytes,
    spike_bytes_from,
)
from mmsnn.utils import check_bool, check_number, check_positive, check_positive_int
from mmsnn.utils.signatures import spell_out

from .carried_state import CarriedState, carried_state, current_steps
from .surrogates import Surrogate, build_surrogate

SpikeValues = Literal['binary', 'integer']
"""Kinds of spikes: in {0, 1}, or integers that stand for several spikes."""


class NeuronOptions(TypedDict, total=False):
    """Arguments of :class:`BaseNeuron` other than ``num_steps``."""

    v_threshold: float
    v_reset: float | None
    detach_reset: bool
    surrogate: Mapping[str, Any] | Surrogate | None


class BaseNeuron(nn.Module):
    """A layer of spiking neurons over ``num_steps`` time steps.

    The neurons start from rest at every call. No state is kept between calls, so they
    need no reset and the batch size may change. In :func:`mmsnn.streaming.step` they
    continue from the given state.

    Args:
        num_steps: Number of time steps T in an input.
        v_threshold: Firing threshold; a neuron fires where ``h >= v_threshold``.
        v_reset: Potential after a spike, also the resting potential. None subtracts the
            threshold instead (soft reset) and rests at 0.
        detach_reset: Whether the spike in the reset is detached from the gradient.
        surrogate: Config of the firing step's surrogate derivative, see
            :func:`mmsnn.models.neurons.build_surrogate`; by default
            ``dict(type='ATan', alpha=2.0)``.

    Attributes:
        in_bytes: Whether spikes are returned as uint8 and without a graph, for int8
            convolutions; False by default.
        max_value: Largest number of spikes per neuron per time step.
        spike_values: Kind of the spikes, ``'binary'`` or ``'integer'``.
        spike_unit: Value that stands for one spike in the output.
        of_regions: Whether the input is the regions of all images, ``[T * R, ...]``, as
            in the box head of a two-stage detector.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range.
    """

    in_bytes = False
    max_value = 1
    of_regions = False

    def __init_subclass__(cls) -> None:
        """Show the options in ``help()`` and in the signature."""
        super().__init_subclass__()
        cls.__signature__ = spell_out(cls, {})  # type: ignore[attr-defined]

    def __init__(
        self,
        num_steps: int,
        v_threshold: float = 1.0,
        v_reset: float | None = 0.0,
        detach_reset: bool = False,
        surrogate: Mapping[str, Any] | Surrogate | None = None,
    ) -> None:
        super().__init__()
        self.num_steps = check_positive_int('num_steps', num_steps)
        v_threshold = check_positive('v_threshold', v_threshold)
        if v_reset is not None:
            v_reset = check_number('v_reset', v_reset)
            if v_reset >= v_threshold:
                raise ValueError(
                    f'v_reset must be below v_threshold ({v_threshold}), '
                    f'but got {v_reset}'
                )
        self.dynamics = Dynamics(
            v_threshold,
            v_reset,
            check_bool('detach_reset', detach_reset),
            build_surrogate(surrogate),
        )

    @property
    def spike_values(self) -> SpikeValues:
        """Kind of the spikes."""
        return 'binary'

    @property
    def spike_unit(self) -> float:
        """Value that stands for one spike in the output."""
        return 1.0

    def decay(self) -> Tensor | float | None:
        """Return ``1 / tau``, or None for a neuron without leak."""
        return None

    def frozen(self) -> 'BaseNeuron':
        """Return the neuron with constants in place of learned dynamics."""
        return self

    @torch.no_grad()
    def firing_current(self) -> float:
        """Return a constant current for which the neurons fire at every time step.

        It is 1 % above the smallest such current, to allow for rounding.
        """
        decay = self.decay()
        needed = self.dynamics.v_threshold - self.dynamics.rest
        if decay is not None and self.dynamics.decay_input:
            needed /= float(decay)
        return 1.01 * needed

    def forward(self, x: Tensor) -> Tensor:
        """Return the spikes for given currents.

        Args:
            x: ``[T * N, ...]``, time first (for N = 1 that is ``[T, ...]``), or in
                stems ``[T, N, C, H, W]``.

        Returns:
            Spikes of the same shape and dtype, or of dtype uint8, see ``in_bytes``.

        Raises:
            ValueError: If the first dimension is not a multiple of ``num_steps``.
            TypeError: If ``x`` is not a floating tensor.
        """
        x_seq = self._unfold(x)
        carried = carried_state()
        if carried is not None:
            return self._continue(x_seq, carried).reshape(x.shape)
        return self.fire(x_seq).flatten(0, 1)

    def fire(self, x_seq: Tensor) -> Tensor:
        """Return the spikes for currents ``[T, ...]``, from rest."""
        fire = spike_bytes if self.in_bytes else multi_step
        return fire(x_seq, self.decay(), self.dynamics)

    def fire_from(self, x_seq: Tensor, v: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the spikes for currents ``[T, ...]``, and the state after them.

        Args:
            x_seq: The currents.
            v: The state before them; None is rest.
        """
        fire = spike_bytes_from if self.in_bytes else multi_step_from
        return fire(x_seq, v, self.decay(), self.dynamics)

    def _continue(self, x_seq: Tensor, carried: CarriedState) -> Tensor:
        """Return the spikes of a call in a stream."""
        key = carried.key(self)
        if self.of_regions:
            raise ValueError(
                f'{key.partition("#")[0]}: neurons of regions cannot stream, since the '
                'regions differ from call to call'
            )
        if x_seq.dim() == 6:  # in a stem, [T, 1, N, C, H, W]
            x_seq = x_seq.squeeze(1)
        v = carried.take(key, 'v', x_seq.shape[1:])
        if v is not None:
            v = v.to(x_seq.device, torch.promote_types(x_seq.dtype, torch.float32))
        spikes, v = self.fire_from(x_seq, v)
        carried.put(key, 'v', v)
        return spikes

    def potentials(self, x: Tensor) -> Tensor:
        """Return the membrane potentials before the reset, from rest.

        A neuron fires where they are at least ``dynamics.v_threshold``.

        Args:
            x: Currents, as :meth:`forward` takes them.

        Returns:
            A tensor of the same shape, in at least fp32 and without a graph.

        Raises:
            ValueError: If the first dimension is not a multiple of ``num_steps``, or in
                a stream, in which neurons do not start from rest.
            TypeError: If ``x`` is not a floating tensor.
        """
        x_seq = self._unfold_from_rest(x)
        return potentials(x_seq, self.decay(), self.dynamics).flatten(0, 1)

    @torch.no_grad()
    def slopes(self, x: Tensor) -> Tensor:
        """Return the derivatives of the spikes with respect to the potentials.

        Args:
            x: Currents, as :meth:`forward` takes them.

        Returns:
            A tensor of the same shape, in at least fp32 and without a graph.
        """
        distance = self.potentials(x) - self.dynamics.v_threshold
        return self.dynamics.surrogate.derivative(distance)

    def _unfold(self, x: Tensor) -> Tensor:
        """Return ``x``, checked, as ``[T, N, ...]``."""
        if not x.is_floating_point():
            raise TypeError(f'neurons take floating tensors, but got {x.dtype}')
        num_steps = current_steps(self.num_steps)
        if x.dim() == 0 or x.shape[0] % num_steps:
            raise ValueError(
                f'the first dimension must be a multiple of num_steps='
                f'{num_steps}, but got shape {tuple(x.shape)}'
            )
        # not -1, which is ambiguous for zero regions
        return x.unflatten(0, (num_steps, x.shape[0] // num_steps))

    def _unfold_from_rest(self, x: Tensor) -> Tensor:
        """Return ``x``, checked, as ``[T, N, ...]``, outside a stream only."""
        if carried_state() is not None:
            raise ValueError(
                f'potentials and slopes of {type(self).__name__} neurons start from '
                'rest: they cannot be computed in mmsnn.streaming.step'
            )
        return self._unfold(x)

    def extra_repr(self) -> str:
        """Show the settings in ``print(model)``."""
        return f'num_steps={self.num_steps}, {self.dynamics}'


def build_neuron(cfg: Mapping[str, Any], num_steps: int) -> nn.Module:
    """Build a neuron layer from its config.

    Args:
        cfg: ``dict(type='LIF', ...)`` with the neuron's own arguments. The type is the
            name of a class that is derived from :class:`BaseNeuron` and registered in
            :data:`mmsnn.registry.MODELS`, or of any other registered class with its
            scope.
        num_steps: Number of time steps T; the network sets it, not ``cfg``.

    Raises:
        TypeError: If ``cfg`` is not a dict with a type, or an argument is unknown.
        ValueError: If the type is unknown or an argument is out of range.
    """
    return build_part('neuron', cfg, BaseNeuron, dict(num_steps=num_steps))


__all__ = ['BaseNeuron', 'NeuronOptions', 'SpikeValues', 'build_neuron']
