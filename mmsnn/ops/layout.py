"""Memory layout of sequences ``[T, ...]`` and of their time steps."""

from collections.abc import Callable, Sequence

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
    """Allocate a sequence with the shape and the memory format per step of ``x_seq``.

    The input may be an expanded view (one image for all time steps), whose strides must
    not be copied. Only the memory format of a step, such as channels-last, is kept.
    """
    step = x_seq[0]
    strides = torch.empty_like(step, device='meta').stride()
    return torch.empty_strided(
        x_seq.shape, (step.numel(), *strides), dtype=dtype, device=x_seq.device
    )


def dense_like(x_seq: Tensor, dtype: torch.dtype) -> Tensor:
    """Allocate as :func:`sequence_like` does, at a lower cost, for dense steps."""
    step = x_seq[0]
    return torch.empty_strided(
        x_seq.shape, (step.numel(), *step.stride()), dtype=dtype, device=x_seq.device
    )


def step_like(x_seq: Tensor) -> Tensor:
    """Allocate a state with the shape and the memory format of a step of ``x_seq``."""
    return sequence_like(x_seq[:1], state_dtype(x_seq.dtype))[0]


def empty_potentials(
    x_seq: Tensor,
    keep: bool,
    like: Callable[[Tensor, torch.dtype], Tensor] = sequence_like,
) -> Tensor:
    """Allocate the potentials of a sequence, or a tensor of shape ``[0]``."""
    dtype = state_dtype(x_seq.dtype)
    return like(x_seq, dtype) if keep else x_seq.new_empty(0, dtype=dtype)


def dense_steps(x_seq: Tensor) -> Tensor:
    """Return ``x_seq``, copied unless each time step is dense."""
    if is_dense(x_seq[0]):
        return x_seq
    return sequence_like(x_seq, x_seq.dtype).copy_(x_seq)


def matching_steps(x_seq: Tensor, like: Tensor) -> Tensor:
    """Return ``x_seq``, copied unless its time steps have the layout of ``like``'s."""
    if x_seq.stride()[1:] == like.stride()[1:]:
        return x_seq
    return sequence_like(like, x_seq.dtype).copy_(x_seq)


def matching_state(state: Tensor | None, like: Tensor) -> Tensor | None:
    """Return a state with the layout of the steps of a sequence."""
    return None if state is None else matching_steps(state[None], like)[0]


def packed_sequence(x_seq: Tensor) -> Tensor:
    """Return ``x_seq``, copied unless its steps are dense and adjacent in memory."""
    if is_dense(x_seq[0]) and x_seq.stride(0) == x_seq[0].numel():
        return x_seq
    return sequence_like(x_seq, x_seq.dtype).copy_(x_seq)


def laid_out_alike(first: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
    """Return dense tensors with the same layout, copying those that differ."""
    if not is_dense(first):
        first = torch.empty_like(first).copy_(first)
    same = (
        x if x.stride() == first.stride() else torch.empty_like(first).copy_(x)
        for x in others
    )
    return first, *same


def state_dtype(dtype: torch.dtype) -> torch.dtype:
    """Return the dtype of potentials: fp32, or fp64 for fp64 currents."""
    return torch.promote_types(dtype, torch.float32)


__all__ = [
    'dense_like',
    'dense_steps',
    'empty_potentials',
    'fills_memory',
    'is_dense',
    'laid_out_alike',
    'matching_state',
    'matching_steps',
    'packed_sequence',
    'sequence_like',
    'state_dtype',
    'step_like',
]
