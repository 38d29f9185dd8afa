"""Transforms of event data.

``mmpretrain.PackInputs`` packs their results for classifiers, ``PackEventDetInputs``
for detectors.
"""

from .event_windows import LoadEventWindow, PackEventDetInputs, RandomEventNoise
from .frames import (
    RandomFlipFrames,
    RandomRollFrames,
    RandomTemporalDelete,
    ResizeFrames,
)
from .loading import LoadEventFrames

__all__ = [
    'LoadEventFrames',
    'LoadEventWindow',
    'PackEventDetInputs',
    'RandomEventNoise',
    'RandomFlipFrames',
    'RandomRollFrames',
    'RandomTemporalDelete',
    'ResizeFrames',
]
