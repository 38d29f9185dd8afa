"""Memory layout of sequences ``[T, ...]`` and of their steps."""

from collections.abc import Sequence

import torch
from torch import Tensor


def fills_memory(shape: Sequence[int], strides: Sequence[int]) -> bool:
    """Return whether a layout has neither gaps nor overlaps, in any order."""
    expected = 1
    for stride, size in sorted(zip(strides, shape, strict=True)):
        if size != 1:
            if stride != expected:
                return False
            expected *= size
    return True


def is_dense(tensor: Tensor) -> bool:
    """Return whether a tensor fills its memory, in whatever order of dimensions."""
    return fills_memory(tensor.shape, tensor.stride())


def sequence_like(x_seq: Tensor, dtype: torch.dtype) -> Tensor:
    """Allocate a sequence of the shape of ``x_seq``, each step laid out like its own.

    The input may be an expanded view (one image for all steps), whose strides must not
    be copied; what is kept is a step's memory format, such as channels-last.
    """
    step = x_seq[0]
    strides = torch.empty_like(step, device='meta').stride()
    return torch.empty_strided(
        x_seq.shape, (step.numel(), *strides), dtype=dtype, device=x_seq.device
    )


def dense_steps(x_seq: Tensor) -> Tensor:
    """Return ``x_seq``, copied unless each of its steps fills its memory."""
    if is_dense(x_seq[0]):
        return x_seq
    return sequence_like(x_seq, x_seq.dtype).copy_(x_seq)


def matching_steps(x_seq: Tensor, like: Tensor) -> Tensor:
    """Return ``x_seq``, copied unless each step is laid out as those of ``like``."""
    if x_seq.stride()[1:] == like.stride()[1:]:
        return x_seq
    return sequence_like(like, x_seq.dtype).copy_(x_seq)


def packed_sequence(x_seq: Tensor) -> Tensor:
    """Return ``x_seq``, copied unless its steps fill their memory without gaps."""
    if is_dense(x_seq[0]) and x_seq.stride(0) == x_seq[0].numel():
        return x_seq
    return sequence_like(x_seq, x_seq.dtype).copy_(x_seq)


def laid_out_alike(first: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
    """Return dense tensors laid out alike, with copies of those that differ."""
    if not is_dense(first):
        first = torch.empty_like(first).copy_(first)
    same = (
        x if x.stride() == first.stride() else torch.empty_like(first).copy_(x)
        for x in others
    )
    return first, *same


def state_dtype(dtype: torch.dtype) -> torch.dtype:
    """Return the dtype of potentials: fp32, or fp64 for currents in fp64."""
    return torch.promote_types(dtype, torch.float32)


__all__ = [
    'dense_steps',
    'fills_memory',
    'is_dense',
    'laid_out_alike',
    'matching_steps',
    'packed_sequence',
    'sequence_like',
    'state_dtype',
]
