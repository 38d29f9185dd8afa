"""Data sets, and the making of the bundled one."""

from .detection import DigitsDetectionDataset
from .digits_detection import (
    DigitsDetectionSummary,
    SplitSummary,
    make_digits_detection,
)

__all__ = [
    'DigitsDetectionDataset',
    'DigitsDetectionSummary',
    'SplitSummary',
    'make_digits_detection',
]
