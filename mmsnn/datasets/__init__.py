"""Data sets, their transforms, and the generation of the bundled digits data set."""

from typing import TYPE_CHECKING, Any

from mmsnn._compat import require

require('torch', 'mmengine', 'mmcv', 'mmdet')

from mmsnn.datasets.digits.classification import DigitsClassification
from mmsnn.datasets.digits.detection import DigitsDetectionDataset
from mmsnn.datasets.digits.making import (
    DigitsDetectionSummary,
    SplitSummary,
    make_digits_detection,
)

from . import transforms
from .events import CIFAR10DVS, DVS128Gesture, prepare_event_frames
from .events.detection import (
    EventDigitsDetection,
    Gen1Detection,
    MegapixelDetection,
    PEDRoDetection,
    RVTGen1Detection,
    RVTMegapixelDetection,
    make_event_digits,
)

if TYPE_CHECKING:
    from .imagenet_subset import ImageNetSubset

__all__ = [
    'CIFAR10DVS',
    'DVS128Gesture',
    'DigitsClassification',
    'DigitsDetectionDataset',
    'DigitsDetectionSummary',
    'EventDigitsDetection',
    'Gen1Detection',
    'ImageNetSubset',
    'MegapixelDetection',
    'PEDRoDetection',
    'RVTGen1Detection',
    'RVTMegapixelDetection',
    'SplitSummary',
    'make_digits_detection',
    'make_event_digits',
    'prepare_event_frames',
    'transforms',
]


def __getattr__(name: str) -> Any:
    """Import data sets that need MMPretrain lazily, because its import is slow."""
    if name == 'ImageNetSubset':
        from .imagenet_subset import ImageNetSubset

        return ImageNetSubset
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
