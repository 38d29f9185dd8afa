"""What chosen layers of neurons do for one image: spikes and potentials."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from mmsnn.analysis.model_parts import named_neurons, steps_and_images, unwrap
from mmsnn.models.neurons import BaseNeuron
from mmsnn.utils import check_positive_int

from .one_image import InputImage, OneImage


@dataclass(frozen=True)
class PotentialTrace:
    """The membrane potential of one neuron, in the units of its threshold.

    Attributes:
        neuron: Its index in the layer, ``(channel, row, column)`` of convolutions.
        potentials: Before the reset, ``h_t``, at each step.
        fired: Whether it spiked, ``h_t >= v_threshold``, at each step.
        v_threshold: Its threshold.
        v_reset: Potential after a spike; None subtracts the threshold.
        rest: Potential before the first step.
    """

    neuron: tuple[int, ...]
    potentials: tuple[float, ...]
    fired: tuple[bool, ...]
    v_threshold: float
    v_reset: float | None
    rest: float

    @property
    def potentials_after(self) -> tuple[float, ...]:
        """The potentials behind the reset, ``v_t``, at each step."""
        return tuple(
            (h - self.v_threshold if self.v_reset is None else self.v_reset)
            if fired
            else h
            for h, fired in zip(self.potentials, self.fired, strict=True)
        )


@dataclass(frozen=True, eq=False)
class LayerSpikes:
    """What a layer of neurons did for one image.

    Attributes:
        name: The layer's name in the model.
        spikes: Booleans ``[T, ...]``, ``[T, C, H, W]`` behind a convolution.
        traces: Potentials of some neurons.
    """

    name: str
    spikes: np.ndarray
    traces: tuple[PotentialTrace, ...]

    @property
    def firing_rate(self) -> float:
        """Spikes a neuron and step."""
        return float(self.spikes.mean())

    @property
    def firing_rates(self) -> np.ndarray:
        """Spikes a step of each neuron, ``[...]``."""
        return self.spikes.mean(0)

    @property
    def firing_rate_per_step(self) -> tuple[float, ...]:
        """Spikes a neuron at each step."""
        return tuple(step.mean().item() for step in self.spikes)


@dataclass(frozen=True, eq=False)
class ImageSpikes:
    """What chosen layers of neurons did for one image."""

    image: InputImage
    layers: tuple[LayerSpikes, ...]


def choose_neurons(
    model: nn.Module, layers: str | Sequence[str]
) -> list[tuple[str, BaseNeuron]]:
    """Return the layers of neurons with a name or a prefix, in the model's order.

    Args:
        model: The model.
        layers: Names, whole or up to a dot: ``'backbone.stages.1'`` is every layer of
            neurons in that stage.

    Raises:
        ValueError: If the model has no neurons, or none of such a name.
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
            listed = f'close to it are {close}' if close else f'there are {names}'
            raise ValueError(f'no layer of neurons begins with {prefix!r}; {listed}')
        chosen |= found
    return [(name, neuron) for name, neuron in neurons if name in chosen]


def spread_neurons(spikes: Tensor, number: int) -> list[tuple[int, ...]]:
    """Return neurons that fire differently often, from the busiest to the quietest.

    Of the spike counts that occur, ``number`` are taken at equal distances, and of each
    one neuron; if fewer occur, several of each. Neurons of one count are taken at equal
    distances, in their order in the layer.

    Args:
        spikes: ``[T, ...]``.
        number: How many neurons; fewer are returned if the layer has no more.
    """
    counts = torch.zeros(spikes.shape[1:], dtype=torch.int16, device=spikes.device)
    for step in spikes:
        # in place: a sum over steps takes ten times as long
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
            raise ValueError(
                f'{name!r} has neurons of indices below {shape}, but got {index}'
            )


def _select(x: Tensor, neurons: Sequence[tuple[int, ...]]) -> Tensor:
    """Return ``[T, n]``, what n neurons have in ``[T, ...]``, without a copy of all."""
    chosen = []
    for neuron in neurons:
        values = x
        for i in neuron:
            values = values[:, i]
        chosen.append(values)
    return torch.stack(chosen, 1)


class SpikeCapture(OneImage):
    """Keeps the spikes of chosen layers for one image, and some neurons' potentials.

    A bit of information a neuron and step is kept as a byte, of one image only; of a
    layer that is called several times in one call of the model, the last call counts.

    Args:
        model: A detector, a classifier or a bare backbone.
        layers: Names or prefixes, see :func:`choose_neurons`.
        image: Which image of the batch, from 0.
        traces: How many neurons' potentials, see :func:`spread_neurons`, or the indices
            of these neurons, ``(channel, row, column)``.

    Raises:
        TypeError: If a number is not an integer.
        ValueError: If there are no such layers, or a number is out of range; when the
            model is called, if there is no such image or neuron.
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
        """See :class:`OneImage`."""
        for name, neuron in self.neurons:
            yield neuron.register_forward_hook(partial(self._keep, name))

    def _keep(
        self, name: str, neuron: BaseNeuron, args: tuple[Tensor], output: Tensor
    ) -> None:
        spikes = self._of_image(output, neuron.num_steps) > 0
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
        """Return the potentials of the neurons of these indices, and no others'."""
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
        """Return ``[T, ...]`` of the image."""
        return steps_and_images(x, num_steps)[:, self.image]

    def result(self) -> ImageSpikes:
        """Return what the last call did.

        Raises:
            RuntimeError: If the model, or one of the layers, has not been called.
        """
        image, layers = self.seen([name for name, _ in self.neurons])
        return ImageSpikes(image, tuple(layers))
