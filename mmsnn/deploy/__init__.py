"""Preparation of trained networks for inference."""

from mmsnn._compat import require

require('torch', 'mmengine', 'mmcv')

from .folding import FoldedNorm, fold_norms
from .int8 import Int8Report, quantize_int8
from .integer_expansion import expand_integer_spikes
from .layout import to_channels_last
from .merging import merge_convolutions
from .time_constants import freeze_time_constants

__all__ = [
    'FoldedNorm',
    'Int8Report',
    'expand_integer_spikes',
    'fold_norms',
    'freeze_time_constants',
    'merge_convolutions',
    'quantize_int8',
    'to_channels_last',
]
