"""Launch settings of the Triton kernels."""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK = 512
"""Numbers per program: four per thread, which is one 128-bit load in fp32."""

OPTIONS: dict[str, Any] = dict(num_warps=4, enable_fp_fusion=False)
"""One rounding per operation, as in PyTorch and in ``csrc/spikes.cpp``."""

STATES = {torch.float32: tl.float32, torch.float64: tl.float64}
"""Triton's dtype for each dtype of the state."""


def grid_of(size: int, block: int = BLOCK) -> tuple[int]:
    """Return the launch grid for ``size`` numbers."""
    return (triton.cdiv(size, block),)


def device_of(tensor: Tensor) -> Any:
    """Return a context manager that selects a tensor's device."""
    return torch.cuda.device_of(tensor)


__all__ = ['BLOCK', 'OPTIONS', 'STATES', 'device_of', 'grid_of']
