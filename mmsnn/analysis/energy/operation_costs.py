"""What an operation costs, by what it is fed: spikes, their sums, analog values."""

import torch
from torch import Tensor

from mmsnn.models.residual import Values

from .arithmetic import Arithmetic
from .operations import VALUES, ImageOperations, Synaptic


def count_synaptic(
    arithmetic: Arithmetic, x: Tensor | None, n: int, silent: Values
) -> tuple[list[ImageOperations], int, float]:
    """Return what an operation costs each image.

    Args:
        arithmetic: The operation.
        x: Its input as ``[steps, N, ...]``; None if images cannot be told apart.
        n: Number of images N.
        silent: What an input of zeros is taken for.

    Returns:
        The images' operations, the widest range of values as an index of ``VALUES``,
        and the largest absolute value.
    """
    dense = arithmetic.dense / n
    if arithmetic.kind == 'norm':
        return [ImageOperations(analog=Synaptic(dense))] * n, 2, 0.0
    # one row an image, or a single one where they cannot be told apart
    whole = arithmetic.input.detach()[None, None] if x is None else x
    rows = whole.transpose(0, 1).flatten(1)
    size = rows.abs()
    integral = (rows == rows.round()).all(1)
    binary = ((rows == 0) | (rows == 1)).all(1)
    found = 2 - integral.int() - binary.int()
    if silent == 'analog' and arithmetic.kind != 'product':
        found[size.amax(1) == 0] = VALUES.index('analog')
    ranges = found.tolist()
    totals = size.sum(1, dtype=torch.float64).tolist()
    reached = _reached(arithmetic, whole).tolist()
    share = len(rows) / n
    images = []
    for total, additions, kind in zip(totals, reached, ranges, strict=True):
        if VALUES[kind] == 'analog':
            images.append(ImageOperations(analog=Synaptic(dense)))
            continue
        estimate = dense * total / rows.shape[1]
        synaptic = Synaptic(dense, additions * share, estimate)
        images.append(ImageOperations(total * share, **{VALUES[kind]: synaptic}))
    if len(images) < n:
        images *= n
    return images, max(ranges), float(size.max())


def _reached(arithmetic: Arithmetic, x: Tensor) -> Tensor:
    """Return the additions that each image's spikes cause.

    Args:
        arithmetic: The operation.
        x: Its input, ``[steps, N, ...]``.
    """
    size = x.abs()
    reach = arithmetic.reach
    if isinstance(reach, int):
        return reach * size.transpose(0, 1).flatten(1).sum(1, dtype=torch.float64)
    channel = size.dim() - reach.dim() - 1
    summed = size.sum(channel, dtype=torch.float64) * reach
    return summed.transpose(0, 1).flatten(1).sum(1)
