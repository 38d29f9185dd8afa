"""Reports of measurements: tables, plots and pictures."""

from mmsnn._compat import require

require('torch', 'mmengine', 'mmcv', 'mmdet')

from .attention_pictures import (
    draw_channel_attention,
    draw_gate,
    draw_spatial_attention,
    draw_temporal_attention,
)
from .box_pictures import draw_boxes
from .detection_pictures import draw_detections
from .event_pictures import draw_event_frames
from .gradcam_pictures import draw_gradcam
from .image_overlay import picture_settings, restore_image
from .spike_pictures import (
    draw_firing_maps,
    draw_potentials,
    draw_raster,
    draw_step_map,
)

__all__ = [
    'draw_boxes',
    'draw_channel_attention',
    'draw_detections',
    'draw_event_frames',
    'draw_firing_maps',
    'draw_gate',
    'draw_gradcam',
    'draw_potentials',
    'draw_raster',
    'draw_spatial_attention',
    'draw_step_map',
    'draw_temporal_attention',
    'picture_settings',
    'restore_image',
]
