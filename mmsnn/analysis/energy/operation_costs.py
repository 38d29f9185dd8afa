"""Operation counts by kind of input: binary spikes, integers or analog values."""

import torch
from torch import Tensor

from mmsnn.models.residual import Values

from .arithmetic import Arithmetic
from .operations import VALUES, ImageOperations, Synaptic


def count_synaptic(
    arithmetic: Arithmetic, x: Tensor | None, n: int, silent: Values
) -> tuple[list[ImageOperations], int, float]:
    """Return the operation counts of each image.

    Args:
        arithmetic: The operation.
        x: Its input as ``[steps, N, ...]``; None if it cannot be split into images.
        n: Number of images N.
        silent: Kind of values that an all-zero input counts as.

    Returns:
        The operations of each image, the widest kind of values as an index of
        ``VALUES``, and the largest absolute value.
    """
    dense = arithmetic.dense / n
    if arithmetic.kind == 'norm':
        return [ImageOperations(analog=Synaptic(dense))] * n, 2, 0.0
    # one row per image, or a single one if the input cannot be split into images
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
    """Return the number of additions of each image's spikes.

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
