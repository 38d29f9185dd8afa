"""Heads that spike."""

from .dense_heads import (
    SpikingATSSHead,
    SpikingFCOSHead,
    SpikingGFLHead,
    SpikingRetinaHead,
    SpikingRPNHead,
)
from .readout import SpikingReadout
from .roi_heads import (
    SpikingRoIExtractor,
    SpikingRoIHead,
    SpikingShared2FCBBoxHead,
)

__all__ = [
    'SpikingATSSHead',
    'SpikingFCOSHead',
    'SpikingGFLHead',
    'SpikingRPNHead',
    'SpikingReadout',
    'SpikingRetinaHead',
    'SpikingRoIExtractor',
    'SpikingRoIHead',
    'SpikingShared2FCBBoxHead',
]
