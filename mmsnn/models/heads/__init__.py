"""Heads that spike."""

from .dense_heads import (
    SpikingATSSHead,
    SpikingFCOSHead,
    SpikingGFLHead,
    SpikingRetinaHead,
    SpikingRPNHead,
)
from .readout import SpikingReadout

__all__ = [
    'SpikingATSSHead',
    'SpikingFCOSHead',
    'SpikingGFLHead',
    'SpikingRPNHead',
    'SpikingReadout',
    'SpikingRetinaHead',
]
