"""Data sets, their transforms, and the making of the bundled one."""

from typing import TYPE_CHECKING, Any

from mmsnn._compat import require

require('torch', 'mmengine', 'mmcv', 'mmdet')

from . import transforms
from .detection import DigitsDetectionDataset
from .digits_classification import DigitsClassification
from .digits_detection import (
    DigitsDetectionSummary,
    SplitSummary,
    make_digits_detection,
)
from .events import CIFAR10DVS, DVS128Gesture, prepare_event_frames

if TYPE_CHECKING:
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


def __getattr__(name: str) -> Any:
    """Import what takes MMPretrain's data sets, and their time, only when asked for."""
    if name == 'ImageNetSubset':
        from .imagenet_subset import ImageNetSubset

        return ImageNetSubset
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
