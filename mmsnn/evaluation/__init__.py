"""Detection metrics in the columns of Table 4 of the SG ResNet paper."""

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

__all__ = [
    'COLUMNS',
    'CocoColumns',
    'format_tables',
    'read_tables',
    'request_columns',
    'save_tables',
]
