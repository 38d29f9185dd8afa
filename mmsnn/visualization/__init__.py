"""Pictures of what a model does."""

from .detections import draw_detections

__all__ = ['draw_detections']
