"""Layers shared by all networks."""

from .max_pool import MaxPool2d
from .recompute import Recomputable, RecomputableSequential, set_recompute
from .unit import LayerFactory, Unit, check_order

__all__ = [
    'LayerFactory',
    'MaxPool2d',
    'Recomputable',
    'RecomputableSequential',
    'Unit',
    'check_order',
    'set_recompute',
]
