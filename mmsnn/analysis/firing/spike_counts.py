"""Running counts of :class:`~mmsnn.analysis.FiringRates`: spikes and mean values."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from mmsnn.models.residual import Values


class ImageTally(NamedTuple):
    """Spikes of one image in a layer at each time step, and the number of neurons."""

    steps: tuple[float, ...] = ()
    neurons: int = 0


UNUSED = ImageTally()
"""Counts of an image that did not pass through a layer."""


def firing_rate(images: Iterable[ImageTally]) -> float:
    """Return the spikes per neuron per time step; NaN without neurons."""
    spikes = possible = 0.0
    for image in images:
        spikes += sum(image.steps)
        possible += image.neurons * len(image.steps)
    return spikes / possible if possible else math.nan


class NeuronCall(NamedTuple):
    """Spikes of one call of a layer of neurons.

    Attributes:
        counts: Number of spikes at each time step of each image, ``[T, N]``.
        fired: For each neuron, 2 if it fired for any image, otherwise 1; 8-bit
            integers.
    """

    counts: Tensor
    fired: Tensor

    @classmethod
    def of_regions(cls, spikes: Tensor, num_images: int) -> 'NeuronCall':
        """Spread the spikes of regions ``[T, R, ...]`` evenly over the images."""
        share = cls.of(spikes).counts.sum(1, keepdim=True) / num_images
        fired = (spikes.amax(0) > 0).to(torch.uint8)
        per_image = -(-fired.numel() // num_images)
        fired = F.pad(fired.flatten(), (0, per_image * num_images - fired.numel()))
        fired = fired.view(num_images, per_image).amax(0)
        return cls(share.expand(-1, num_images), fired.cpu() + 1)

    @classmethod
    def of(cls, spikes: Tensor) -> 'NeuronCall':
        """Count spikes ``[T, N, ...]``."""
        places = tuple(range(2, spikes.dim()))
        counts = spikes.sum(places, dtype=torch.float64) if places else spikes.double()
        fired = (spikes.amax((0, 1)) > 0).to(torch.uint8)
        return cls(counts.cpu(), fired + 1)


def _larger(one: Tensor, other: Tensor) -> Tensor:
    """Return the maximum of two maps, zero-padded at the end to the same size."""
    pads = []
    for size, other_size in zip(one.shape, other.shape, strict=True):
        pads.append((max(other_size - size, 0), max(size - other_size, 0)))
    # F.pad starts with the last dimension
    pads.reverse()
    one = F.pad(one, [number for grow, _ in pads for number in (0, grow)])
    other = F.pad(other, [number for _, grow in pads for number in (0, grow)])
    return torch.maximum(one, other)


@dataclass
class NeuronTally:
    """Counts of a layer of neurons, which the model may call several times.

    Attributes:
        images: Counts of all images.
        fired: One map of the neurons per call in a forward pass: 2 if a neuron ever
            fired, 1 if it never did, 0 if no image was large enough to contain it.
    """

    images: list[ImageTally] = field(default_factory=list)
    fired: list[Tensor] = field(default_factory=list)

    def add(self, calls: Sequence[NeuronCall]) -> None:
        """Add the calls for one batch of images."""
        counts = torch.stack([call.counts for call in calls]).sum(0).T.tolist()
        neurons = sum(call.fired.numel() for call in calls)
        self.images += [ImageTally(tuple(steps), neurons) for steps in counts]
        for i, call in enumerate(calls):
            if i < len(self.fired):
                self.fired[i] = _larger(self.fired[i], call.fired)
            else:
                self.fired.append(call.fired)

    @property
    def used(self) -> list[ImageTally]:
        """The images that passed through the layer."""
        return [image for image in self.images if image.neurons]

    @property
    def num_neurons(self) -> float:
        """Mean number of neurons per image."""
        return sum(image.neurons for image in self.used) / len(self.used)

    @property
    def step_firing_rates(self) -> tuple[float, ...]:
        """Spikes per neuron at each time step.

        Raises:
            ValueError: If the calls, in a stream, had different numbers of time steps.
        """
        lengths = sorted({len(image.steps) for image in self.used})
        if len(lengths) > 1:
            raise ValueError(
                'firing rates by time step need calls with the same number of time '
                f'steps, but got {lengths}'
            )
        neurons = sum(image.neurons for image in self.used)
        steps = zip(*(image.steps for image in self.used), strict=True)
        return tuple(sum(step) / neurons for step in steps)

    @property
    def silent_share(self) -> float:
        """Share of the neurons that never fired."""
        silent = sum(int((fired == 1).sum()) for fired in self.fired)
        return silent / sum(int((fired > 0).sum()) for fired in self.fired)


class MeanTally(NamedTuple):
    """Sum and number of values, and whether all are integers and all are in {0, 1}."""

    total: float = 0.0
    numel: int = 0
    whole: bool = True
    binary: bool = True

    @classmethod
    def of(cls, x: Tensor) -> 'MeanTally':
        """Return the tally of a tensor."""
        x = x.detach()
        whole = bool((x == x.round()).all())
        low, high = x.aminmax()
        binary = whole and bool(low >= 0) and bool(high <= 1)
        return cls(x.sum(dtype=torch.float64).item(), x.numel(), whole, binary)

    def and_of(self, other: 'MeanTally') -> 'MeanTally':
        """Return the combined tally."""
        return MeanTally(
            self.total + other.total,
            self.numel + other.numel,
            self.whole and other.whole,
            self.binary and other.binary,
        )

    @property
    def values(self) -> Values:
        """Kind of the values."""
        return 'binary' if self.binary else 'integer' if self.whole else 'analog'

    @property
    def of_spikes(self) -> float | None:
        """Mean value; None if the values are analog."""
        return self.total / self.numel if self.whole else None


__all__ = [
    'UNUSED',
    'ImageTally',
    'MeanTally',
    'NeuronCall',
    'NeuronTally',
    'firing_rate',
]
