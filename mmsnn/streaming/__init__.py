"""Streams: networks that continue from an explicit state at every call."""

from .detection import check_detector_streams, stream_detections
from .state import State, detach, restart, step, to

__all__ = [
    'State',
    'check_detector_streams',
    'detach',
    'restart',
    'step',
    'stream_detections',
    'to',
]
