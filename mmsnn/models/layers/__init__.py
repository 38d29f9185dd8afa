"""Layers shared by all networks."""

from .unit import LayerFactory, Unit, check_order

__all__ = ['LayerFactory', 'Unit', 'check_order']
