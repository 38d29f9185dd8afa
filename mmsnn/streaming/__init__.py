"""Streams: networks that continue from an explicit state, call after call."""

from .detection import stream_detections
from .state import State, detach, restart, step, to

__all__ = ['State', 'detach', 'restart', 'step', 'stream_detections', 'to']
