"""Reject event frames that MMDetection would mistake for images."""

from functools import wraps
from typing import Any

import torch
from mmengine.model import ImgDataPreprocessor

from mmsnn.utils.errors import UserError


def refuse_frames() -> None:
    """Make MMDetection's data preprocessors raise for frames ``[T, C, H, W]``.

    ``DetDataPreprocessor`` uses the second and third dimensions of a sample as height
    and width. For frames it computes ``pad_shape = (C, H)``, with which the heads mask
    most of their anchors, without an error. The check is added to the base class, which
    is imported anyway, and applies only to preprocessors that compute ``pad_shape``.
    Further calls have no effect.
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
    """Raise if a sample is not of shape ``[C, H, W]``."""
    for sample in inputs:
        if isinstance(sample, torch.Tensor) and sample.dim() > 3:
            raise UserError(
                f'{name} takes images of shape [C, H, W], but a sample has '
                f'{list(sample.shape)}: event frames [T, C, H, W] need '
                'mmsnn.EventDetDataPreprocessor, since pad_shape would be wrong'
            )
