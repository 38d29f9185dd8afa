"""Detection in pictures, videos and camera streams."""

from mmsnn._compat import require

require('torch', 'mmengine', 'mmcv', 'mmdet')

from .coco_results import CocoResults
from .detector import Detection, Detector
from .picture_sources import Source, find_sources

__all__ = ['CocoResults', 'Detection', 'Detector', 'Source', 'find_sources']
