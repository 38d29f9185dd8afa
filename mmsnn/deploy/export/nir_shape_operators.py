"""Translation of operators that change the shape or order of signals for NIR."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from .nir_operators import REASONS, average, translates
from .nir_signals import Call, NotInNIR, Signal


@translates('aten::mean')
def _mean(
    call: Call, x: Signal, dim: Sequence[int] | None = None, keepdim: bool = False
) -> Signal:
    lead = len(call.lead(x))
    dims = sorted(d % len(call.given) for d in dim or range(len(call.given)))
    if len(x.shape) == 3 and dims == [lead + 1, lead + 2]:
        call_of_pool = replace(call, shape=(x.shape[0], 1, 1))
        pooled = average(call_of_pool, x, x.shape[1:], x.shape[1:], (0, 0))
        return pooled if keepdim else _flatten(call, pooled)
    if lead == 2 and dims == [0] and call.is_timed(x) and not keepdim:
        return replace(x, order='N', binary=False, averaged=True)
    raise NotInNIR('NIR has no mean, except over time at the end or over positions')


def _flatten(call: Call, x: Signal) -> Signal:
    """Add the flattening of a sample."""
    import nir

    node = nir.Flatten({'input': x.shape}, start_dim=0, end_dim=-1)
    return call.linear(x, node, [math.prod(x.shape)], '.flatten')


@translates(
    *('aten::view', 'aten::reshape', 'aten::flatten', 'aten::unflatten'),
    *('aten::squeeze', 'aten::unsqueeze'),
)
def _view(call: Call, x: Signal, *shape: Any) -> Signal:
    """Regroup time steps and samples, or flatten each sample."""
    number = math.prod(call.lead(x))
    for dims in range(len(call.shape) + 1):
        if math.prod(call.shape[:dims]) == number:
            if call.shape[dims:] == x.shape:
                return x
            if call.shape[dims:] == (math.prod(x.shape),):
                return _flatten(call, x)
    raise NotInNIR(f'NIR cannot reshape {list(x.shape)}')


@translates('aten::expand')
def _expand(call: Call, x: Signal, size: Sequence[int], implicit: bool = False) -> Any:
    if call.shape == call.given:
        return x
    if x.order == 'N' and call.shape == (call.num_steps, *call.given):
        return replace(x, order='TN')
    raise NotInNIR('it repeats a signal otherwise than over time')


@translates('aten::cat')
def _concatenation(call: Call, tensors: Sequence[Any], dim: int = 0) -> Signal:
    first = tensors[0]
    repeats = len(tensors) == call.num_steps and all(x is first for x in tensors)
    if dim == 0 and repeats and first.order == 'N' and not first.averaged:
        return replace(first, order='TN')
    raise NotInNIR(REASONS['aten::cat'])


@translates('aten::transpose')
def _transpose(call: Call, x: Signal, dim0: int, dim1: int) -> Signal:
    if len(call.lead(x)) == 2 and {dim0, dim1} == {0, 1} and x.order != 'N':
        return replace(x, order=x.order[::-1])
    raise NotInNIR('NIR cannot transpose')


@translates('aten::to', 'aten::_to_copy')
def _cast(call: Call, x: Signal, *args: Any, **kwargs: Any) -> Signal:
    for value in (*args, *kwargs.values()):
        if isinstance(value, torch.dtype) and not value.is_floating_point:
            raise NotInNIR(f'it is cast to {value}')
    return x


@translates('aten::dropout', 'aten::feature_dropout')
def _dropout(call: Call, x: Signal, p: float, train: bool) -> Signal:
    if train:
        raise NotInNIR('it draws random numbers')
    return x


@translates(
    *('aten::contiguous', 'aten::clone', 'aten::alias', 'aten::detach'),
    'aten::_assert_tensor_metadata',
)
def _same(call: Call, x: Signal, *args: Any, **kwargs: Any) -> Signal:
    return x
