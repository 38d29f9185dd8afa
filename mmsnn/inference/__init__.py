"""Detection in pictures, videos, camera streams and recordings of events."""

from mmsnn._compat import require

require('torch', 'mmengine', 'mmcv', 'mmdet')

from .coco_results import CocoResults
from .detector import Detection, Detector
from .picture_sources import Source, find_sources

__all__ = ['CocoResults', 'Detection', 'Detector', 'Source', 'find_sources']
