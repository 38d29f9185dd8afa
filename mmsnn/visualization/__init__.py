"""Pictures of what a model does."""

from mmsnn._compat import require

require('torch', 'mmengine', 'mmcv', 'mmdet')

from .attention import (
    draw_channel_attention,
    draw_gate,
    draw_spatial_attention,
    draw_temporal_attention,
)
from .detections import draw_detections
from .overlay import restore_image
from .spikes import draw_firing_maps, draw_potentials, draw_raster

__all__ = [
    'draw_channel_attention',
    'draw_detections',
    'draw_firing_maps',
    'draw_gate',
    'draw_potentials',
    'draw_raster',
    'draw_spatial_attention',
    'draw_temporal_attention',
    'restore_image',
]
