"""Spikes and membrane potentials of chosen layers of neurons for one image."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from mmsnn.analysis.model_parts import (
    in_spikes,
    named_neurons,
    steps_and_images,
)
from mmsnn.models.neurons import BaseNeuron
from mmsnn.utils import check_positive_int
from mmsnn.utils.errors import UserError
from mmsnn.utils.model_wrappers import unwrap

from .one_image import InputImage, OneImage


@dataclass(frozen=True)
class PotentialTrace:
    """The membrane potential of one neuron, in the units of its threshold.

    Attributes:
        neuron: Index of the neuron in the layer, ``(channel, row, column)`` after a
            convolution.
        potentials: Potential before the reset, ``h_t``, at each time step.
        fired: Whether the neuron fired, ``h_t >= v_threshold``, at each time step; the
            number of spikes of integer neurons.
        v_threshold: Threshold.
        v_reset: Potential after a spike; None subtracts the threshold.
        rest: Potential before the first time step.
    """

    neuron: tuple[int, ...]
    potentials: tuple[float, ...]
    fired: tuple[int, ...]
    v_threshold: float
    v_reset: float | None
    rest: float

    @property
    def potentials_after(self) -> tuple[float, ...]:
        """Potential after the reset, ``v_t``, at each time step."""
        return tuple(
            (h - self.v_threshold * fired if self.v_reset is None else self.v_reset)
            if fired
            else h
            for h, fired in zip(self.potentials, self.fired, strict=True)
        )


@dataclass(frozen=True, eq=False)
class LayerSpikes:
    """Spikes of a layer of neurons for one image.

    Attributes:
        name: Name of the layer in the model.
        spikes: Booleans ``[T, ...]``, ``[T, C, H, W]`` after a convolution; of integer
            neurons, the numbers of spikes.
        traces: Membrane potentials of some neurons.
    """

    name: str
    spikes: np.ndarray
    traces: tuple[PotentialTrace, ...]

    @property
    def firing_rate(self) -> float:
        """Spikes per neuron per time step."""
        return float(self.spikes.mean())

    @property
    def firing_rates(self) -> np.ndarray:
        """Spikes per time step of each neuron, ``[...]``."""
        return self.spikes.mean(0)

    @property
    def firing_rate_per_step(self) -> tuple[float, ...]:
        """Spikes per neuron at each time step."""
        return tuple(step.mean().item() for step in self.spikes)


@dataclass(frozen=True, eq=False)
class ImageSpikes:
    """Spikes of the chosen layers of neurons for one image."""

    image: InputImage
    layers: tuple[LayerSpikes, ...]


def choose_neurons(
    model: nn.Module, layers: str | Sequence[str]
) -> list[tuple[str, BaseNeuron]]:
    """Return the layers of neurons with given names or prefixes, in the model's order.

    Args:
        model: The model.
        layers: Full names, or prefixes that end before a dot: ``'backbone.stages.1'``
            selects every layer of neurons in that stage.

    Raises:
        ValueError: If the model has no neurons, or none with such a name.
    """
    neurons = named_neurons(unwrap(model))
    wanted = (layers,) if isinstance(layers, str) else tuple(layers)
    if not wanted:
        raise ValueError('layers must name at least one layer of neurons, but got none')
    chosen = set()
    for prefix in wanted:
        found = {name for name, _ in neurons if f'{name}.'.startswith(f'{prefix}.')}
        if not found:
            names = [name for name, _ in neurons]
            close = get_close_matches(prefix, names, n=5)
            listed = f'similar names: {close}' if close else f'all names: {names}'
            raise ValueError(
                f'no layer of neurons has a name that begins with {prefix!r}; {listed}'
            )
        chosen |= found
    return [(name, neuron) for name, neuron in neurons if name in chosen]


def spread_neurons(spikes: Tensor, number: int) -> list[tuple[int, ...]]:
    """Return neurons with different spike counts, from the highest to the lowest.

    Evenly spaced spike counts are chosen from those that occur, and one neuron per
    count; if fewer than ``number`` counts occur, several neurons per count. Neurons
    with the same count are evenly spaced in the layer.

    Args:
        spikes: Spikes ``[T, ...]``.
        number: Number of neurons; fewer are returned if the layer has fewer.
    """
    counts = torch.zeros(spikes.shape[1:], dtype=torch.int16, device=spikes.device)
    for step in spikes:
        # in place: ten times as fast as a sum over the time steps
        counts += step
    counts = counts.flatten().cpu()
    sizes = torch.bincount(counts).tolist()
    groups = [count for count in reversed(range(len(sizes))) if sizes[count]]
    if len(groups) > number:
        picked = torch.linspace(0, len(groups) - 1, number).round().long()
        groups = [groups[int(i)] for i in picked]
    shares = [0] * len(groups)
    while sum(shares) < min(number, sum(sizes[count] for count in groups)):
        for i, count in enumerate(groups):
            if sum(shares) < number and shares[i] < sizes[count]:
                shares[i] += 1
    flat = []
    for count, share in zip(groups, shares, strict=True):
        neurons = torch.nonzero(counts == count)[:, 0]
        flat += [
            int(neurons[(2 * k + 1) * len(neurons) // (2 * share)])
            for k in range(share)
        ]
    shape = tuple(spikes.shape[1:])
    return [tuple(int(i) for i in np.unravel_index(index, shape)) for index in flat]


def _check_indices(
    name: str, indices: Sequence[tuple[int, ...]], shape: tuple[int, ...]
) -> None:
    for index in indices:
        inside = len(index) == len(shape) and all(
            0 <= i < size for i, size in zip(index, shape, strict=True)
        )
        if not inside:
            raise UserError(
                f'indices of neurons of {name!r} must be below {shape}, but got {index}'
            )


def _select(x: Tensor, neurons: Sequence[tuple[int, ...]]) -> Tensor:
    """Return the values ``[T, n]`` of n neurons in ``[T, ...]`` without a full copy."""
    chosen = []
    for neuron in neurons:
        values = x
        for i in neuron:
            values = values[:, i]
        chosen.append(values)
    return torch.stack(chosen, 1)


class SpikeCapture(OneImage):
    """Records spikes of chosen layers and potentials of some neurons for one image.

    Spikes are stored as one byte per neuron per time step. If a layer is called several
    times in one call of the model, its last call is kept.

    Args:
        model: A detector, a classifier or a bare backbone.
        layers: Names or prefixes, see :func:`choose_neurons`.
        image: Index of the image in the batch.
        traces: Number of neurons whose potentials are recorded, see
            ``spread_neurons``, or the indices of these neurons,
            ``(channel, row, column)``.

    Raises:
        TypeError: If a number is not an integer.
        ValueError: If there are no such layers or a number is out of range, or, when
            the model is called, if there is no such image or neuron, or potentials are
            to be recorded in :func:`mmsnn.streaming.step`; ``traces=()`` records none.
    """

    def __init__(
        self,
        model: nn.Module,
        layers: str | Sequence[str],
        image: int = 0,
        traces: int | Sequence[Sequence[int]] = 6,
    ) -> None:
        super().__init__(model, image)
        self.neurons = choose_neurons(self.model, layers)
        self.traces = (
            [tuple(index) for index in traces]
            if isinstance(traces, Sequence)
            else check_positive_int('traces', traces)
        )

    def watch(self) -> Iterator[RemovableHandle]:
        """Register the hooks of the layers; yield their handles."""
        for name, neuron in self.neurons:
            yield neuron.register_forward_hook(partial(self._keep, name))

    def _keep(
        self, name: str, neuron: BaseNeuron, args: tuple[Tensor], output: Tensor
    ) -> None:
        spikes = self._of_image(output, neuron.num_steps)
        if neuron.spike_values == 'binary':
            spikes = spikes > 0
        else:
            spikes = in_spikes(spikes, neuron.spike_unit).to(torch.int16)
        shape = tuple(spikes.shape[1:])
        if isinstance(self.traces, int):
            indices = spread_neurons(spikes, self.traces)
        else:
            _check_indices(name, self.traces, shape)
            indices = self.traces
        traces = self._trace(neuron, indices, args[0], spikes) if indices else ()
        self._seen[name] = LayerSpikes(name, spikes.cpu().numpy(), traces)

    def _trace(
        self,
        neuron: BaseNeuron,
        indices: Sequence[tuple[int, ...]],
        currents: Tensor,
        spikes: Tensor,
    ) -> tuple[PotentialTrace, ...]:
        """Return the potentials of the neurons with these indices only."""
        currents = _select(self._of_image(currents, neuron.num_steps), indices)
        with torch.no_grad():
            potentials = neuron.potentials(currents).T.tolist()
        dynamics = neuron.dynamics
        return tuple(
            PotentialTrace(
                index,
                tuple(h),
                tuple(fired),
                dynamics.v_threshold,
                dynamics.v_reset,
                dynamics.rest,
            )
            for index, h, fired in zip(
                indices, potentials, _select(spikes, indices).T.tolist(), strict=True
            )
        )

    def _of_image(self, x: Tensor, num_steps: int) -> Tensor:
        """Return the values of the image, ``[T, ...]``."""
        return steps_and_images(x, num_steps)[:, self.image]

    def result(self) -> ImageSpikes:
        """Return the spikes and potentials of the last call.

        Raises:
            RuntimeError: If the model or one of the layers has not been called.
        """
        image, layers = self.seen([name for name, _ in self.neurons])
        return ImageSpikes(image, tuple(layers))
