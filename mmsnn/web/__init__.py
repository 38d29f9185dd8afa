"""The page of ``mmsnn serve``: what a model sees, fires and spends on a picture."""

from mmsnn._compat import require

require('torch', 'mmengine', 'mmcv', 'mmdet')
