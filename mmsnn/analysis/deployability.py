"""Which layers of a model have spikes as input, whatever its weights."""

from copy import deepcopy
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmsnn.utils.dry_run import predict

from .energy import LayerOperations, OperationCounter
from .model_parts import use_batch_stats


@torch.no_grad()
def synaptic_layers(model: nn.Module, batch: Any) -> tuple[LayerOperations, ...]:
    """Return the layers with weights and the products, with the kind of each input.

    Norms of a copy of the model are set to weight 1, bias 0 and the statistics of the
    batch, so that neurons fire and no branch is silent.

    Args:
        model: The model; it is not changed.
        batch: Two or more images, see :func:`mmsnn.analysis.model_inputs.make_batches`.
    """
    lively = deepcopy(model).eval()
    for module in lively.modules():
        if isinstance(module, _BatchNorm) and module.affine:
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
    use_batch_stats(lively)
    with OperationCounter(lively) as counter:
        predict(lively, batch)
    return tuple(row for row in counter.result().layers if row.kind != 'norm')


__all__ = ['synaptic_layers']
