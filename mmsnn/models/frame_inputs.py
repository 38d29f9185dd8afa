"""Refuses event frames where MMDetection would take them for images."""

from functools import wraps
from typing import Any

import torch
from mmengine.model import ImgDataPreprocessor

from mmsnn.utils.errors import UserError


def refuse_frames() -> None:
    """Make MMDetection's data preprocessors raise at frames ``[T, C, H, W]``.

    ``DetDataPreprocessor`` takes the second and third dimension of a sample for its
    height and width. Of frames it makes ``pad_shape = (C, H)``, by which the heads mask
    most of their anchors, and no error tells of it. The check is in the base class,
    which is imported anyway, and concerns preprocessors with that computation alone.
    Calling this again changes nothing.
    """
    forward = ImgDataPreprocessor.forward
    if hasattr(forward, '__wrapped__'):
        return

    @wraps(forward)
    def checked(
        self: ImgDataPreprocessor, data: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        if hasattr(self, '_get_pad_shape'):
            _check_images(type(self).__name__, data['inputs'])
        return forward(self, data, *args, **kwargs)

    ImgDataPreprocessor.forward = checked


def _check_images(name: str, inputs: Any) -> None:
    """Raise if a sample is no ``[C, H, W]``."""
    for sample in inputs:
        if isinstance(sample, torch.Tensor) and sample.dim() > 3:
            raise UserError(
                f'{name} takes images of shape [C, H, W], but a sample has '
                f'{list(sample.shape)}: detection on event frames [T, C, H, W] is not '
                'supported, since pad_shape would be wrong'
            )
