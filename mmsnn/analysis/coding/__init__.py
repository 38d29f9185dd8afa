"""Dynamics of what an encoder puts out over time steps."""

from .coding_dynamics import Coding, CodingDynamics, EncoderCoding

__all__ = [
    'Coding',
    'CodingDynamics',
    'EncoderCoding',
]
