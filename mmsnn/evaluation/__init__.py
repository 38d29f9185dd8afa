"""Metrics of detection: the SG ResNet paper's Table 4, and event cameras."""

from mmsnn._compat import require

require('torch', 'mmengine', 'mmcv', 'mmdet')

from .coco_columns import (
    COLUMNS,
    CocoColumns,
    format_tables,
    read_tables,
    request_columns,
    save_tables,
)
from .event_coco import EventCocoMetric

__all__ = [
    'COLUMNS',
    'CocoColumns',
    'EventCocoMetric',
    'format_tables',
    'read_tables',
    'request_columns',
    'save_tables',
]
