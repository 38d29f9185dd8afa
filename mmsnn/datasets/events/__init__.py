"""Event camera data sets: reading, integrating to frames, keeping the frames."""

from .cifar10_dvs import CIFAR10DVS
from .dvs128_gesture import DVS128Gesture
from .prepare import EVENT_DATASETS, PreparedFrames, prepare_event_frames

__all__ = [
    'CIFAR10DVS',
    'DVS128Gesture',
    'EVENT_DATASETS',
    'PreparedFrames',
    'prepare_event_frames',
]
