"""Transforms of event data.

``mmpretrain.PackInputs`` packs their results for classifiers, ``PackEventDetInputs``
for detectors.
"""

from .event_windows import LoadEventWindow, PackEventDetInputs, RandomEventNoise
from .frame_loader import FrameLoader
from .frames import (
    RandomFlipFrames,
    RandomRollFrames,
    RandomTemporalDelete,
    ResizeFrames,
)
from .loading import LoadEventFrames

__all__ = [
    'FrameLoader',
    'LoadEventFrames',
    'LoadEventWindow',
    'PackEventDetInputs',
    'RandomEventNoise',
    'RandomFlipFrames',
    'RandomRollFrames',
    'RandomTemporalDelete',
    'ResizeFrames',
]
