"""Spiking neurons, built from configs and stateless between calls."""

from mmsnn.ops import multi_step

from .base import BaseNeuron, build_neuron
from .integer_lif import ILIF
from .integrate_fire import IF, LIF, PLIF
from .surrogates import (
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
    'ILIF',
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
