"""Scalars whose gradients are analysed: the training loss or a random projection."""

import math
from typing import Any

import torch
from mmengine.model import BaseModel
from torch import Tensor


def is_annotated(batch: dict[str, Any]) -> bool:
    """Return whether a batch has the annotations that a loss needs."""
    samples = batch.get('data_samples') or []
    return bool(samples) and all(
        'gt_label' in sample
        or ('gt_instances' in sample and 'bboxes' in sample.gt_instances)
        for sample in samples
    )


def loss_of(model: BaseModel, batch: dict[str, Any]) -> Tensor:
    """Return the training loss of a batch."""
    data = model.data_preprocessor(batch, training=True)
    return model.parse_losses(model(**data, mode='loss'))[0]


def projection_of(model: BaseModel, batch: dict[str, Any], seed: int) -> Tensor:
    """Return a random weighted sum of the features; its gradient has norm 1."""
    inputs = model.data_preprocessor(batch, training=False)['inputs']
    features = model.extract_feat(inputs)
    generator = torch.Generator().manual_seed(seed)
    weights = [torch.randn(f.shape, generator=generator) for f in features]
    norm = math.hypot(*(weight.norm().item() for weight in weights))
    return sum(
        (feature * weight.to(feature) / norm).sum()
        for feature, weight in zip(features, weights, strict=True)
    )
