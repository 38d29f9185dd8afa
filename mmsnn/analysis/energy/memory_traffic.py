"""How much memory a model's layers read and write: apart from energy of arithmetic."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from mmsnn.utils import check_choice, check_positive_int

from .operations import LayerOperations, Operations

MEMORY_PJ_PER_BYTE: Mapping[str, float] = MappingProxyType(
    {'sram-8kB': 1.25, 'sram-32kB': 2.5, 'sram-1MB': 12.5, 'dram': 162.5}
)
"""Energy of an access in 45 nm: 10, 20 and 100 pJ for 64 bits of a cache of that size,
at least 1.3 nJ of DRAM (Horowitz 2014, Fig. 1.1.9)."""


@dataclass(frozen=True)
class LayerMemory:
    """Bytes that a layer moves for one image.

    Args:
        name: The module's name.
        part: See :func:`mmsnn.analysis.model_parts.find_parts`.
        weights_bytes: Weights, read once a time step.
        inputs_bytes: Its input, read once.
        outputs_bytes: Its output, written once.
        potentials_bytes: Membrane potentials, read and written once a time step.
    """

    name: str
    part: str
    weights_bytes: float
    inputs_bytes: float
    outputs_bytes: float
    potentials_bytes: float

    @property
    def total_bytes(self) -> float:
        """All of them."""
        moved = self.weights_bytes + self.inputs_bytes + self.outputs_bytes
        return moved + self.potentials_bytes


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes that a model moves for one image.

    Args:
        layers: What each layer moves.
        word_bits: Size of weights, potentials and analog values.
    """

    layers: tuple[LayerMemory, ...]
    word_bits: int

    @property
    def total(self) -> LayerMemory:
        """The sum over all layers."""
        return LayerMemory(
            'total',
            '',
            sum(layer.weights_bytes for layer in self.layers),
            sum(layer.inputs_bytes for layer in self.layers),
            sum(layer.outputs_bytes for layer in self.layers),
            sum(layer.potentials_bytes for layer in self.layers),
        )

    def energy_pj(self, memory: str) -> float:
        """Return the energy in pJ if everything moves to and from one memory.

        Args:
            memory: A name in ``MEMORY_PJ_PER_BYTE``.

        Raises:
            ValueError: If the name is unknown.
        """
        check_choice('memory', memory, tuple(MEMORY_PJ_PER_BYTE))
        return self.total.total_bytes * MEMORY_PJ_PER_BYTE[memory]


def estimate_memory(operations: Operations, word_bits: int = 32) -> MemoryEstimate:
    """Return the traffic of a model executed layer by layer, nothing fused or cached.

    Spikes in {0, 1} are a bit, integers as many bits as their largest value needs,
    everything else is a word. The papers leave memory out; on most hardware it costs
    more than the arithmetic, and weights that are read again at every time step are the
    price of a spiking network there.

    Args:
        operations: What :class:`~mmsnn.analysis.OperationCounter` counted.
        word_bits: Size of weights, potentials and analog values.

    Raises:
        TypeError: If ``word_bits`` is no integer.
        ValueError: If it is less than 1.
    """
    check_positive_int('word_bits', word_bits)
    layers = [
        LayerMemory(
            layer.name,
            layer.part,
            layer.weights * layer.steps * word_bits / 8,
            layer.inputs * _bits(layer, word_bits) / 8,
            layer.outputs * word_bits / 8,
            0.0,
        )
        for layer in operations.layers
        if layer.kind in ('convolution', 'linear')
    ]
    layers += [
        LayerMemory(
            neuron.name,
            neuron.part,
            0.0,
            neuron.updates * word_bits / 8,
            neuron.updates / 8,
            2 * neuron.updates * word_bits / 8,
        )
        for neuron in operations.neurons
    ]
    return MemoryEstimate(tuple(layers), word_bits)


def _bits(layer: LayerOperations, word_bits: int) -> int:
    if layer.values == 'analog':
        return word_bits
    return min(word_bits, max(1, math.ceil(math.log2(layer.peak + 1))))
