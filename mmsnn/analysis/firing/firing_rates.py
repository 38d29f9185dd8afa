"""Firing rates by layer, time step, image and residual block."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from mmsnn.analysis.collector import Collector
from mmsnn.analysis.model_parts import (
    find_batch,
    find_parts,
    in_spikes,
    named_blocks,
    named_neurons,
    spike_unit,
    steps_and_images,
)
from mmsnn.models.neurons import BaseNeuron
from mmsnn.models.residual import DenselyAdditive, Merge

from .block_firing import BlockFiring, Means, summarise_block
from .spike_counts import UNUSED, MeanTally, NeuronCall, NeuronTally, firing_rate


@dataclass(frozen=True)
class NeuronFiring:
    """Firing rates of one layer of neurons.

    Rates are spikes per neuron per time step, ``#spikes / (#neurons T)`` (Qiu et al.,
    Eq. 12). An integer k of an integer neuron is k spikes.

    Attributes:
        name: Name of the module in the model.
        part: See :func:`mmsnn.analysis.find_parts`.
        num_neurons: Number of neurons per image; the mean if images differ in size.
        firing_rate: Firing rate over all images.
        step_firing_rates: Firing rate over all images at each of the T time steps.
        image_firing_rates: Firing rate of each image, in the order of the calls; NaN
            for images that did not pass through this layer.
        silent_share: Share of the neurons that did not fire for any image. A neuron is
            a channel at a position, counted from the upper left corner.
    """

    name: str
    part: str
    num_neurons: float
    firing_rate: float
    step_firing_rates: tuple[float, ...]
    image_firing_rates: tuple[float, ...]
    silent_share: float


@dataclass(frozen=True)
class Firing:
    """Firing rates of a network.

    Attributes:
        num_images: Number of images.
        num_neurons: Mean number of neurons per image, over all layers.
        firing_rate: Spikes per neuron per time step, over all neurons.
        image_firing_rates: Firing rate of each image.
        neurons: The layers of neurons that were called.
        blocks: The residual blocks that were called.
    """

    num_images: int
    num_neurons: float
    firing_rate: float
    image_firing_rates: tuple[float, ...]
    neurons: tuple[NeuronFiring, ...]
    blocks: tuple[BlockFiring, ...]


def _add_mean(means: Means, key: tuple[str, str], mean: MeanTally) -> None:
    means[key] = means.get(key, MeanTally()).and_of(mean)


class FiringRates(Collector):
    """Counts the spikes of every call of the model, by layer, time step and image.

    In evaluation mode, an image's rates do not depend on its batch unless it is padded
    to the size of a larger image. Only calls of the model itself are counted: not calls
    of its parts, recomputation by activation checkpointing, or calls that fail. In
    :func:`mmsnn.streaming.step`, each call counts as images of its own. ::

        with FiringRates(model) as rates, torch.no_grad():
            model.test_step(batch)
        firing = rates.result()

    Args:
        model: A detector, a classifier or a bare backbone, in any mode.

    Raises:
        ValueError: If the model has no spiking neurons, or is called without images.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)
        self._neurons = named_neurons(self.model)
        self._blocks = named_blocks(self.model)
        self._unit = spike_unit(self.model)
        self._layers: dict[str, NeuronTally] = {}
        self._means: Means = {}
        self._num_images = 0
        # counts of the current call, dropped if it fails; the size is 0 between calls
        self._batch_size = 0
        self._batch_calls: dict[str, list[NeuronCall]] = {}
        self._batch_means: Means = {}

    def attach(self) -> Iterator[RemovableHandle]:
        """Register the hooks; yield their handles."""
        yield self.model.register_forward_pre_hook(self._begin, with_kwargs=True)
        for name, neuron in self._neurons:
            yield neuron.register_forward_hook(partial(self._see_spikes, name))
        for name, block in self._blocks:
            if block.merge is not None:
                yield block.merge.register_forward_pre_hook(
                    partial(self._see_merge, name), with_kwargs=True
                )
            yield block.register_forward_hook(partial(self._see_block, name))
        yield self.model.register_forward_hook(self._finish)

    def _begin(
        self, module: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> None:
        self._batch_size = len(find_batch(args, kwargs))
        self._batch_calls, self._batch_means = {}, {}

    def _see_spikes(
        self, name: str, neuron: BaseNeuron, args: Any, spikes: Tensor
    ) -> None:
        if not self._batch_size:
            return
        steps = in_spikes(steps_and_images(spikes, neuron.num_steps), neuron.spike_unit)
        if neuron.of_regions:
            # spread evenly over the images, as the operations are
            calls = self._batch_calls.setdefault(name, [])
            calls.append(NeuronCall.of_regions(steps, self._batch_size))
            return
        if steps.shape[1] != self._batch_size:
            raise ValueError(
                f'{name!r} returned spikes of shape {tuple(spikes.shape)}, which are '
                f'not of {len(steps)} steps and {self._batch_size} images'
            )
        self._batch_calls.setdefault(name, []).append(NeuronCall.of(steps))

    def _see_merge(
        self, name: str, merge: Merge, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> None:
        for role in ('residual', 'shortcut'):
            self._see_values(name, role, kwargs[role])

    def _see_block(self, name: str, block: nn.Module, args: Any, out: Tensor) -> None:
        self._see_values(name, 'output', out)

    def _see_values(self, name: str, role: str, x: Tensor) -> None:
        if self._batch_size:
            _add_mean(
                self._batch_means, (name, role), MeanTally.of(in_spikes(x, self._unit))
            )

    def _finish(self, module: nn.Module, args: Any, out: Any) -> None:
        for name, calls in self._batch_calls.items():
            missed = [UNUSED] * self._num_images
            self._layers.setdefault(name, NeuronTally(missed)).add(calls)
        for key, mean in self._batch_means.items():
            _add_mean(self._means, key, mean)
        self._num_images += self._batch_size
        for layer in self._layers.values():
            # layers that this call did not use
            layer.images += [UNUSED] * (self._num_images - len(layer.images))
        self._batch_size = 0

    def result(self) -> Firing:
        """Return the firing rates so far.

        Raises:
            ValueError: If the model was not called while the collector was entered, or,
                in a stream, with different numbers of time steps.
        """
        if not self._layers:
            raise ValueError(
                f'{type(self.model).__name__} was not called, or used no neurons, '
                'while its firing rates were collected'
            )
        parts = find_parts(self.model)
        layers = {
            name: self._layers[name]
            for name, _ in self._neurons
            if name in self._layers
        }
        images = list(zip(*(layer.images for layer in layers.values()), strict=True))
        return Firing(
            num_images=self._num_images,
            num_neurons=sum(layer.num_neurons for layer in layers.values()),
            firing_rate=firing_rate(chain.from_iterable(images)),
            image_firing_rates=tuple(map(firing_rate, images)),
            neurons=tuple(
                NeuronFiring(
                    name=name,
                    part=parts[name],
                    num_neurons=layer.num_neurons,
                    firing_rate=firing_rate(layer.images),
                    step_firing_rates=layer.step_firing_rates,
                    image_firing_rates=tuple(firing_rate([i]) for i in layer.images),
                    silent_share=layer.silent_share,
                )
                for name, layer in layers.items()
            ),
            blocks=self._block_firing(parts),
        )

    def _block_firing(self, parts: Mapping[str, str]) -> tuple[BlockFiring, ...]:
        dense = {
            name
            for name, module in self.model.named_modules()
            if isinstance(module, DenselyAdditive)
        }
        sums: dict[str, float | None] = dict.fromkeys(dense, 0.0)
        blocks = []
        for name, block in self._blocks:
            if (name, 'output') not in self._means:
                continue
            stage = name.rpartition('.')[0]
            before = sums.get(stage)
            firing = summarise_block(name, parts[name], block, self._means, before)
            if stage in dense:
                sums[stage] = firing.sum_mean
            blocks.append(firing)
        return tuple(blocks)


__all__ = ['BlockFiring', 'Firing', 'FiringRates', 'NeuronFiring']
