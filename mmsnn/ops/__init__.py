"""Operators of spiking networks, known to PyTorch; they need nothing but torch."""

from .dynamics import Dynamics, SurrogateKind

__all__ = ['Dynamics', 'SurrogateKind']
