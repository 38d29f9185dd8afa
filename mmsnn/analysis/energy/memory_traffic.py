"""Memory traffic of a model's layers; not part of the energy of the arithmetic."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from mmsnn.utils import check_choice, check_positive_int

from .operations import LayerOperations, Operations

MEMORY_PJ_PER_BYTE: Mapping[str, float] = MappingProxyType(
    {'sram-8kB': 1.25, 'sram-32kB': 2.5, 'sram-1MB': 12.5, 'dram': 162.5}
)
"""Access energy per byte in 45 nm: 10, 20 and 100 pJ per 64 bits for caches of these
sizes, at least 1.3 nJ per 64 bits for DRAM (Horowitz 2014, Fig. 1.1.9)."""


@dataclass(frozen=True)
class LayerMemory:
    """Memory traffic of a layer in bytes per image.

    Args:
        name: Name of the module.
        part: See :func:`mmsnn.analysis.find_parts`.
        weights_bytes: Weights, read once per time step.
        inputs_bytes: Input, read once.
        outputs_bytes: Output, written once.
        potentials_bytes: Membrane potentials, read and written once per time step.
    """

    name: str
    part: str
    weights_bytes: float
    inputs_bytes: float
    outputs_bytes: float
    potentials_bytes: float

    @property
    def total_bytes(self) -> float:
        """Sum of all bytes."""
        moved = self.weights_bytes + self.inputs_bytes + self.outputs_bytes
        return moved + self.potentials_bytes


@dataclass(frozen=True)
class MemoryEstimate:
    """Memory traffic of a model in bytes per image.

    Args:
        layers: Traffic of each layer.
        word_bits: Size of weights, potentials and analog values in bits.
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
        """Return the energy in pJ if all traffic uses one kind of memory.

        Args:
            memory: A name in ``MEMORY_PJ_PER_BYTE``.

        Raises:
            ValueError: If the name is unknown.
        """
        check_choice('memory', memory, tuple(MEMORY_PJ_PER_BYTE))
        return self.total.total_bytes * MEMORY_PJ_PER_BYTE[memory]


def estimate_memory(operations: Operations, word_bits: int = 32) -> MemoryEstimate:
    """Return the memory traffic of a model run layer by layer, unfused and uncached.

    Binary spikes take 1 bit, integers as many bits as their largest value needs, and
    all other values one word. The papers do not include memory traffic. On most
    hardware, it costs more energy than the arithmetic, and spiking networks read their
    weights again at every time step.

    Args:
        operations: Result of :class:`~mmsnn.analysis.OperationCounter`.
        word_bits: Size of weights, potentials and analog values in bits.

    Raises:
        TypeError: If ``word_bits`` is not an integer.
        ValueError: If ``word_bits`` is less than 1.
    """
    check_positive_int('word_bits', word_bits)
    layers = [
        LayerMemory(
            layer.name,
            layer.part,
            layer.weights * layer.steps * word_bits / 8,
            layer.inputs * _input_bits(layer, word_bits) / 8,
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
            neuron.updates * _spike_bits(neuron.max_spikes, word_bits) / 8,
            2 * neuron.updates * word_bits / 8,
        )
        for neuron in operations.neurons
    ]
    return MemoryEstimate(tuple(layers), word_bits)


def _input_bits(layer: LayerOperations, word_bits: int) -> int:
    return word_bits if layer.values == 'analog' else _spike_bits(layer.peak, word_bits)


def _spike_bits(largest: float, word_bits: int) -> int:
    return min(word_bits, max(1, math.ceil(math.log2(largest + 1))))
