"""What a model computes for an image, layer by layer: the counter's results."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

from mmsnn.models.residual import Values

from .arithmetic import Kind

VALUES: tuple[Values, ...] = ('binary', 'integer', 'analog')


@dataclass(frozen=True)
class Synaptic:
    """Operations of one image in one layer, over all time steps.

    Args:
        dense: Multiply-accumulates of the whole kernel at every output, whatever the
            input holds, padding included: the papers' FLOPs, times the steps.
        accumulations: What spikes really cause: one addition for each weight that a
            spike meets, k for an integer spike of value k; 0 for an analog input.
        rate_accumulations: The papers' estimate of it, ``dense`` times the mean of the
            input's absolute values (Zhang et al. 2023, Eq. 19); 0 for an analog input.
    """

    dense: float = 0.0
    accumulations: float = 0.0
    rate_accumulations: float = 0.0

    def __add__(self, other: 'Synaptic') -> 'Synaptic':
        """Return the sum, number by number."""
        return Synaptic(
            *(getattr(self, f.name) + getattr(other, f.name) for f in fields(self))
        )

    def __truediv__(self, number: float) -> 'Synaptic':
        """Return the quotient, number by number."""
        return Synaptic(*(getattr(self, f.name) / number for f in fields(self)))


@dataclass(frozen=True)
class ImageOperations:
    """What one image costs in a layer, by what the layer was fed.

    Args:
        spikes_in: Sum of the input's absolute values, over all steps, where they are
            spikes; 0 for an analog input.
        binary: Operations on inputs in {0, 1}.
        integer: Operations on other integers, such as sums of spikes.
        analog: Operations on all else.
    """

    spikes_in: float = 0.0
    binary: Synaptic = Synaptic()
    integer: Synaptic = Synaptic()
    analog: Synaptic = Synaptic()

    @property
    def dense(self) -> float:
        """Multiply-accumulates if nothing is sparse."""
        return self.binary.dense + self.integer.dense + self.analog.dense

    def __add__(self, other: 'ImageOperations') -> 'ImageOperations':
        """Return the sum, number by number."""
        return ImageOperations(
            *(getattr(self, f.name) + getattr(other, f.name) for f in fields(self))
        )

    def __truediv__(self, number: float) -> 'ImageOperations':
        """Return the quotient, number by number."""
        return ImageOperations(*(getattr(self, f.name) / number for f in fields(self)))


def _mean(images: Sequence[ImageOperations]) -> ImageOperations:
    return sum(images, ImageOperations()) / len(images)


@dataclass(frozen=True)
class LayerOperations:
    """One layer of a model.

    Args:
        name: The module's name in the model.
        kind: ``'convolution'``, ``'linear'``, ``'product'`` (of two tensors, element by
            element, in encoders and decoders) or ``'norm'``.
        part: See :func:`mmsnn.analysis.model_parts.find_parts`.
        projection: Whether it is the convolution of a shortcut.
        spiking_only: Whether the same network without spikes has no such layer: spike
            decoders, and the attention of gated attention coding.
        steps: How often the layer's weights are applied to an image: T behind the
            encoder, 1 for the convolution of a static image.
        weights: Number of its weights.
        inputs: Elements of its input, of one image, over all steps.
        outputs: Elements of its output, likewise.
        values: The widest range that its input had in any image.
        peak: The largest absolute value of its input.
        images: What each image cost, in the order in which they were seen.
    """

    name: str
    kind: Kind
    part: str
    projection: bool
    spiking_only: bool
    steps: int
    weights: int
    inputs: float
    outputs: float
    values: Values
    peak: float
    images: tuple[ImageOperations, ...]

    @property
    def mean(self) -> ImageOperations:
        """What an image cost on average."""
        return _mean(self.images)


@dataclass(frozen=True)
class NeuronOperations:
    """One layer of spiking neurons.

    Args:
        name: The module's name in the model.
        part: See :func:`mmsnn.analysis.model_parts.find_parts`.
        num_steps: Number of time steps T.
        leaky: Whether the potential is multiplied at every step (LIF, PLIF).
        updates: Updates of a potential, of one image: neurons times steps.
        spikes_out: Spikes of each image.
    """

    name: str
    part: str
    num_steps: int
    leaky: bool
    updates: float
    spikes_out: tuple[float, ...]

    @property
    def firing_rate(self) -> float:
        """Spikes a neuron and step."""
        return sum(self.spikes_out) / len(self.spikes_out) / self.updates


@dataclass(frozen=True)
class Operations:
    """What a model computes for an image.

    Args:
        layers: Layers in the order of their first use.
        neurons: Layers of spiking neurons, likewise; none in an ordinary network.
        num_images: How many images were counted.
        parameters: Number of the model's parameters.
        uncounted: Names of modules that were used and have weights, but whose
            operations are not known (deformable convolutions, for one).
    """

    layers: tuple[LayerOperations, ...]
    neurons: tuple[NeuronOperations, ...]
    num_images: int
    parameters: int
    uncounted: tuple[str, ...]

    @property
    def num_steps(self) -> int | None:
        """Number of time steps T; None without spiking neurons."""
        return max((neuron.num_steps for neuron in self.neurons), default=None)
