"""Grad-CAM: the places of an image that raise the score of a class or of a box."""

from .explanation import ImageCam, explain_prediction
from .maps import GradCAM, LayerCam, compute_cam

__all__ = [
    'GradCAM',
    'ImageCam',
    'LayerCam',
    'compute_cam',
    'explain_prediction',
]
