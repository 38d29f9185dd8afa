"""Layers shared by all networks."""

from .unit import LayerFactory, Unit

__all__ = ['LayerFactory', 'Unit']
