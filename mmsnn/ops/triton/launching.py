"""How the Triton kernels are launched."""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK = 512
"""Numbers per program: four per thread, in fp32 one load of 128 bits."""

OPTIONS: dict[str, Any] = dict(num_warps=4, enable_fp_fusion=False)
"""One rounding per operation, as in PyTorch and in ``csrc/spikes.cpp``."""

STATES = {torch.float32: tl.float32, torch.float64: tl.float64}
"""Triton's name of a state's dtype."""


def grid_of(size: int, block: int = BLOCK) -> tuple[int]:
    """Return the grid of programs that covers ``size`` numbers."""
    return (triton.cdiv(size, block),)


def device_of(tensor: Tensor) -> Any:
    """Return a context in which kernels run on a tensor's own device."""
    return torch.cuda.device_of(tensor)


__all__ = ['BLOCK', 'OPTIONS', 'STATES', 'device_of', 'grid_of']
