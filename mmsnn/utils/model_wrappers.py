"""Wrappers of models for distributed training."""

from typing import Any

from mmengine.model import is_model_wrapper
from torch import nn


def unwrap(model: nn.Module) -> Any:
    """Return the model inside a wrapper for distributed training, or the model."""
    return model.module if is_model_wrapper(model) else model
