"""Spiking neurons: stateless over calls, lean in memory, built from a config."""

from .functional import multi_step
from .neurons import IF, LIF, PLIF, BaseNeuron, build_neuron
from .surrogate import (
    ATan,
    Constant,
    Rectangular,
    Sigmoid,
    Surrogate,
    build_surrogate,
    heaviside,
)

__all__ = [
    'IF',
    'LIF',
    'PLIF',
    'ATan',
    'BaseNeuron',
    'Constant',
    'Rectangular',
    'Sigmoid',
    'Surrogate',
    'build_neuron',
    'build_surrogate',
    'heaviside',
    'multi_step',
]
