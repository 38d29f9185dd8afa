"""A model as it is deployed: folded norms, bf16 or int8 weights."""

from copy import deepcopy
from typing import Any

import torch
from mmengine.model import BaseTTAModel
from torch import nn

from mmsnn.models.backbones import SpikingBackbone
from mmsnn.utils.errors import UserError

from .folding import FoldedNorm, fold_norms
from .int8 import quantize_int8


def prepare(
    model: nn.Module, fold: bool = True, bf16: bool = False, int8: bool = False
) -> tuple[nn.Module, str]:
    """Return an optimised copy of a model for inference, and its description.

    Args:
        model: A detector or classifier in evaluation mode.
        fold: Whether to fold norms into convolutions, see
            :func:`mmsnn.deploy.fold_norms`.
        bf16: Whether to run the spiking backbone in bf16.
        int8: Whether to quantise the spiking backbone's weights to int8, which needs
            folded norms, see :func:`mmsnn.deploy.quantize_int8`.

    Raises:
        ValueError: If ``int8`` is combined with ``bf16`` or used without ``fold``, or
            if ``bf16`` or ``int8`` is used with a backbone that is not from mmsnn.
    """
    check_preparation(fold, bf16, int8)
    model = fold_norms(model) if fold else deepcopy(model)
    folded = sum(isinstance(module, FoldedNorm) for module in model.modules())
    backbone, details = 'its own dtype', ''
    if bf16:
        _spiking_backbone(model).to(torch.bfloat16)
        backbone = 'bf16'
    if int8:
        _spiking_backbone(model)
        model, report = quantize_int8(model)
        backbone, details = 'int8', f' ({report})'
    return model, (
        f'{folded} norms folded into convolutions, the backbone in {backbone}{details}'
    )


def check_preparation(fold: bool, bf16: bool, int8: bool) -> None:
    """Check that the options of :func:`prepare` fit together.

    Raises:
        ValueError: If they do not.
    """
    if int8 and (bf16 or not fold):
        raise ValueError(
            f'int8 needs folded norms and excludes bf16, but got fold={fold}, '
            f'bf16={bf16}'
        )


def _spiking_backbone(model: nn.Module) -> SpikingBackbone:
    """Return a detector's or classifier's backbone.

    Raises:
        UserError: If it is not from mmsnn, because it would not cast its input.
    """
    inner: Any = model.module if isinstance(model, BaseTTAModel) else model
    backbone = getattr(inner, 'backbone', None)
    if not isinstance(backbone, SpikingBackbone):
        raise UserError(
            'bf16 and int8 need a backbone of mmsnn, but the model has '
            f'{type(backbone).__name__}'
        )
    return backbone


__all__ = ['check_preparation', 'prepare']
