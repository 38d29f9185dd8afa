"""Layers shared by all networks."""

from .attention import SpikeDrivenAttention, largest_spike
from .max_pool import MaxPool2d
from .recompute import Recomputable, RecomputableSequential, set_recompute
from .rep_conv import PaddedNorm, RepConv
from .time_steps import (
    IF_NEURON,
    SpikingActivation,
    are_whole,
    check_spikes,
    fold_steps,
    spike_first,
)
from .unit import LayerFactory, Unit, check_order

__all__ = [
    'IF_NEURON',
    'LayerFactory',
    'MaxPool2d',
    'PaddedNorm',
    'Recomputable',
    'RecomputableSequential',
    'RepConv',
    'SpikeDrivenAttention',
    'SpikingActivation',
    'are_whole',
    'Unit',
    'check_order',
    'check_spikes',
    'fold_steps',
    'largest_spike',
    'set_recompute',
    'spike_first',
]
