"""Coding dynamics: how an encoder's output changes over the time steps."""

from .coding_dynamics import Coding, CodingDynamics, EncoderCoding

__all__ = [
    'Coding',
    'CodingDynamics',
    'EncoderCoding',
]
