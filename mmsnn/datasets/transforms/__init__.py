"""Transforms of event data; ``mmpretrain.PackInputs`` packs their results."""

from .frames import (
    RandomFlipFrames,
    RandomRollFrames,
    RandomTemporalDelete,
    ResizeFrames,
)
from .loading import LoadEventFrames

__all__ = [
    'LoadEventFrames',
    'RandomFlipFrames',
    'RandomRollFrames',
    'RandomTemporalDelete',
    'ResizeFrames',
]
