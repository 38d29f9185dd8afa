"""Neurons, layouts and dtypes with which the kernels are run and compiled."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from mmsnn.ops import SurrogateKind

DTYPES = (torch.float32, torch.bfloat16, torch.float16, torch.float64)
NEURONS = ('IF', 'LIF', 'LIF, input kept', 'PLIF', 'PLIF, input kept')
RESETS = (None, 0.0, 0.25)
KINDS = tuple(SurrogateKind)

# a step has 630 numbers: one whole block, and another that is cut off
SHAPE = (2, 5, 9, 7)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def contiguous(steps: int) -> Tensor:
    return 2 * random(steps, *SHAPE)


def channels_last(steps: int) -> Tensor:
    folded = contiguous(steps).flatten(0, 1)
    return folded.contiguous(memory_format=torch.channels_last).view(steps, *SHAPE)


def expanded(steps: int) -> Tensor:
    return contiguous(1).expand(steps, *SHAPE)


def every_other_column(steps: int) -> Tensor:
    return 2 * random(steps, *SHAPE[:-1], 2 * SHAPE[-1])[..., ::2]


def batch_first(steps: int) -> Tensor:
    return contiguous(steps).transpose(0, 1).contiguous().transpose(0, 1)


LAYOUTS: tuple[Callable[[int], Tensor], ...] = (
    contiguous,
    channels_last,
    expanded,
    every_other_column,
    batch_first,
)


def neuron(name: str, v_reset: float | None, dtype: torch.dtype) -> tuple[Any, ...]:
    """Return the operators' arguments from ``learned_decay`` to ``decay_input``."""
    # the interpreter rounds numbers to fp32
    decay = 0.375 if dtype == torch.float64 else 0.3
    state = torch.promote_types(dtype, torch.float32)
    learned = torch.tensor(decay, dtype=state) if name.startswith('PLIF') else None
    fixed = decay if name.startswith('LIF') else None
    return learned, fixed, 1.0, v_reset, 'kept' not in name
