"""Event camera data sets: reading, integration to frames, caching of the frames."""

from .base import EVENT_DATASETS
from .cifar10_dvs import CIFAR10DVS
from .dvs128_gesture import DVS128Gesture
from .prepare import PreparedFrames, prepare_event_frames
from .readers import LAYOUTS, EventLayout

__all__ = [
    'CIFAR10DVS',
    'DVS128Gesture',
    'EVENT_DATASETS',
    'EventLayout',
    'LAYOUTS',
    'PreparedFrames',
    'prepare_event_frames',
]
