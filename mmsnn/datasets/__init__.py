"""Data sets, their transforms, and the making of the bundled one."""

from . import transforms
from .detection import DigitsDetectionDataset
from .digits_classification import DigitsClassification
from .digits_detection import (
    DigitsDetectionSummary,
    SplitSummary,
    make_digits_detection,
)
from .events import CIFAR10DVS, DVS128Gesture, prepare_event_frames
from .imagenet_subset import ImageNetSubset

__all__ = [
    'CIFAR10DVS',
    'DVS128Gesture',
    'DigitsClassification',
    'DigitsDetectionDataset',
    'DigitsDetectionSummary',
    'ImageNetSubset',
    'SplitSummary',
    'make_digits_detection',
    'prepare_event_frames',
    'transforms',
]
