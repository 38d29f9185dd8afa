"""Results of the operation counter: operations per image, layer by layer."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

from mmsnn.models.residual import Values

from .arithmetic import Kind

VALUES: tuple[Values, ...] = ('binary', 'integer', 'analog')


@dataclass(frozen=True)
class Synaptic:
    """Operations of one image in one layer, over all time steps.

    Args:
        dense: Multiply-accumulates of the whole kernel at every output, independent of
            the input and including padding: the papers' FLOPs times the time steps.
        accumulations: Exact number of additions: one per spike and weight applied to
            it, k for an integer spike of value k; 0 for an analog input.
        rate_accumulations: The papers' estimate of the accumulations, ``dense`` times
            the mean of the input's absolute values (Zhang et al. 2023, Eq. 19); 0 for
            an analog input.
    """

    dense: float = 0.0
    accumulations: float = 0.0
    rate_accumulations: float = 0.0

    def __add__(self, other: 'Synaptic') -> 'Synaptic':
        """Return the sum of each field."""
        return Synaptic(
            *(getattr(self, f.name) + getattr(other, f.name) for f in fields(self))
        )

    def __truediv__(self, number: float) -> 'Synaptic':
        """Divide each field by a number."""
        return Synaptic(*(getattr(self, f.name) / number for f in fields(self)))


@dataclass(frozen=True)
class ImageOperations:
    """Operations of one image in a layer, by the kind of the layer's input.

    Args:
        spikes_in: Sum of the absolute values of the input spikes over all time steps;
            0 for an analog input.
        binary: Operations on inputs in {0, 1}.
        integer: Operations on other integers, such as sums of spikes.
        analog: Operations on all other inputs.
    """

    spikes_in: float = 0.0
    binary: Synaptic = Synaptic()
    integer: Synaptic = Synaptic()
    analog: Synaptic = Synaptic()

    @property
    def dense(self) -> float:
        """Dense multiply-accumulates of all kinds of input."""
        return self.binary.dense + self.integer.dense + self.analog.dense

    def __add__(self, other: 'ImageOperations') -> 'ImageOperations':
        """Return the sum of each field."""
        return ImageOperations(
            *(getattr(self, f.name) + getattr(other, f.name) for f in fields(self))
        )

    def __truediv__(self, number: float) -> 'ImageOperations':
        """Divide each field by a number."""
        return ImageOperations(*(getattr(self, f.name) / number for f in fields(self)))


def _mean(images: Sequence[ImageOperations]) -> ImageOperations:
    return sum(images, ImageOperations()) / len(images)


@dataclass(frozen=True)
class LayerOperations:
    """Operations of one layer of a model.

    Args:
        name: Name of the module in the model.
        kind: ``'convolution'``, ``'linear'``, ``'product'`` (element-wise, in encoders
            and decoders) or ``'norm'``.
        part: See :func:`mmsnn.analysis.find_parts`.
        projection: Whether it is a convolution on a shortcut.
        spiking_only: Whether the same network without spikes does not have the layer:
            spike decoders, and the attention of gated attention coding.
        steps: How often the weights are applied per image: T after the encoder, 1 for
            the convolution of a static image.
        weights: Number of weights.
        inputs: Number of input elements per image, over all time steps.
        outputs: Number of output elements per image, over all time steps.
        values: Widest kind of input values over all images.
        peak: Largest absolute input value.
        images: Operations of each image, in the order of the calls.
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
        """Mean over the images."""
        return _mean(self.images)


@dataclass(frozen=True)
class NeuronOperations:
    """Operations of one layer of spiking neurons.

    Args:
        name: Name of the module in the model.
        part: See :func:`mmsnn.analysis.find_parts`.
        num_steps: Number of time steps T.
        leaky: Whether the potential is multiplied at every time step (LIF, PLIF).
        updates: Mean number of updates of membrane potentials per image: neurons times
            time steps.
        max_spikes: Largest number of spikes per time step: 1, or D of integer neurons.
        spikes_out: Number of spikes of each image.
    """

    name: str
    part: str
    num_steps: int
    leaky: bool
    updates: float
    max_spikes: int
    spikes_out: tuple[float, ...]

    @property
    def firing_rate(self) -> float:
        """Spikes per neuron per time step."""
        return sum(self.spikes_out) / len(self.spikes_out) / self.updates


@dataclass(frozen=True)
class Operations:
    """Operations of a model.

    Args:
        layers: Layers in the order of their first use.
        neurons: Layers of spiking neurons in the order of their first use; empty for a
            network without spikes.
        num_images: Number of images.
        parameters: Number of the model's parameters.
        uncounted: Names of modules with weights that were called but whose operations
            are not counted (for example, deformable convolutions).
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
