"""Layers shared by all networks."""

from .max_pool import MaxPool2d
from .recompute import Recomputable, RecomputableSequential, set_recompute
from .time_steps import SpikingActivation, check_spikes, fold_steps, spike_first
from .unit import LayerFactory, Unit, check_order

__all__ = [
    'LayerFactory',
    'MaxPool2d',
    'Recomputable',
    'RecomputableSequential',
    'SpikingActivation',
    'Unit',
    'check_order',
    'check_spikes',
    'fold_steps',
    'set_recompute',
    'spike_first',
]
