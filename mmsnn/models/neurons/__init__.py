"""Spiking neurons, built from configs and stateless between calls."""

from mmsnn.ops import multi_step

from .base import BaseNeuron, build_neuron
from .carried_state import CarriedState, carried_state, current_steps
from .integer_lif import ILIF
from .integrate_fire import IF, LIF, PLIF
from .relu import ReLU
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
    'CarriedState',
    'Constant',
    'ReLU',
    'Rectangular',
    'Sigmoid',
    'Surrogate',
    'build_neuron',
    'build_surrogate',
    'carried_state',
    'current_steps',
    'heaviside',
    'multi_step',
]
