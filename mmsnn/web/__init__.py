"""The page of ``mmsnn serve``: detections, spikes and energy for a picture."""

from mmsnn._compat import require

require('torch', 'mmengine', 'mmcv', 'mmdet')
