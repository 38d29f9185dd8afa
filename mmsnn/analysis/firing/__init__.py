"""Firing rates of neurons and residual blocks."""

from .block_firing import BlockFiring, expected_mean
from .firing_rates import Firing, FiringRates, NeuronFiring

__all__ = [
    'BlockFiring',
    'Firing',
    'FiringRates',
    'NeuronFiring',
    'expected_mean',
]
