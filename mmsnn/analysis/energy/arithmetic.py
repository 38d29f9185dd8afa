"""Arithmetic of single calls of convolutions, matrix products, products and norms."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor

aten = torch.ops.aten

Kind = Literal['convolution', 'linear', 'product', 'norm']


@dataclass(frozen=True)
class Arithmetic:
    """One call of an operation.

    Args:
        kind: ``'convolution'``, ``'linear'``, ``'product'`` or ``'norm'``.
        input: The operand that may be spikes, ``[B, ...]``.
        dense: Multiply-accumulates for a dense input, including zeros and padding.
        weight: The operand that is weights; None if there is none.
        outputs: Number of elements of the result.
        reach: Number of additions per input spike, by its position: broadcasts to
            ``input`` without its first dimension, for convolutions after a sum over the
            channels.
    """

    kind: Kind
    input: Tensor
    dense: int
    weight: Tensor | None
    outputs: int
    reach: Tensor | int


def _reach_1d(
    size: int, out_size: int, kernel: int, stride: int, pad: int, dil: int
) -> Tensor:
    """Return how many outputs of a convolution use each of ``size`` positions."""
    reach = torch.zeros(size, dtype=torch.float64)
    starts = torch.arange(out_size) * stride - pad
    for k in range(kernel):
        places = starts + k * dil
        inside = places[(places >= 0) & (places < size)]
        reach.index_add_(0, inside, torch.ones(len(inside), dtype=torch.float64))
    return reach


def _reach_1d_transposed(
    size: int, out_size: int, kernel: int, stride: int, pad: int, dil: int
) -> Tensor:
    """Return how many outputs of a transposed convolution each position adds to."""
    starts = torch.arange(size) * stride - pad
    places = starts[:, None] + torch.arange(kernel) * dil
    return ((places >= 0) & (places < out_size)).sum(1).double()


def _convolution(args: Sequence[Any], out: Tensor) -> Arithmetic:
    x, weight, _, stride, padding, dilation, transposed, _, groups = args[:9]
    kernel = weight.shape[2:]
    size, out_size = x.shape[2:], out.shape[2:]
    one = _reach_1d_transposed if transposed else _reach_1d
    dims = range(len(kernel))

    def at(values: Sequence[int], i: int) -> int:
        return values[i] if len(values) > 1 else values[0]

    per_place = torch.ones((), dtype=torch.float64)
    for i in dims:
        along = one(
            size[i],
            out_size[i],
            kernel[i],
            at(stride, i),
            at(padding, i),
            at(dilation, i),
        )
        per_place = per_place.unsqueeze(-1) * along
    volume = math.prod(kernel)
    if transposed:
        fan_out = weight.shape[1]
        dense = x.numel() * fan_out * volume
    else:
        fan_out = weight.shape[0] // groups
        dense = out.numel() * weight.shape[1] * volume
    return Arithmetic(
        'convolution',
        x,
        dense,
        weight,
        out.numel(),
        (per_place * fan_out).to(x.device),
    )


def _matrix(a: Tensor, b: Tensor, out: Tensor) -> Arithmetic:
    return Arithmetic('linear', a, a.numel() * b.shape[-1], b, out.numel(), b.shape[-1])


def _mm(args: Sequence[Any], out: Tensor) -> Arithmetic:
    return _matrix(args[0], args[1], out)


def _bmm(args: Sequence[Any], out: Tensor) -> Arithmetic:
    """Products of activations, as in attention: neither operand is weights."""
    return replace(_mm(args, out), weight=None)


def _addmm(args: Sequence[Any], out: Tensor) -> Arithmetic:
    return _matrix(args[1], args[2], out)


def _baddbmm(args: Sequence[Any], out: Tensor) -> Arithmetic:
    return _bmm(args[1:], out)


def is_binary(x: Tensor) -> bool:
    """Return whether all values are 0 or 1."""
    return bool(((x == 0) | (x == 1)).all())


def _product(args: Sequence[Any], out: Tensor) -> Arithmetic | None:
    """Element-wise product; the input is the binary factor of full size, if any."""
    factors = [arg for arg in args if isinstance(arg, Tensor) and arg.dim()]
    if len(factors) < 2 or out.dim() < 2:
        return None
    full = [factor for factor in factors if factor.shape == out.shape]
    x = next((factor for factor in full if is_binary(factor)), None)
    if x is None:
        x = full[0] if full else out
    return Arithmetic('product', x, out.numel(), None, out.numel(), 1)


def _addcmul(args: Sequence[Any], out: Tensor) -> Arithmetic | None:
    return _product(args[1:3], out)


def _norm(args: Sequence[Any], out: tuple[Tensor, ...]) -> Arithmetic:
    x = args[0]
    return Arithmetic('norm', x, x.numel(), None, x.numel(), 1)


ARITHMETIC: dict[Any, Callable[[Sequence[Any], Any], Arithmetic | None]] = {
    aten.convolution: _convolution,
    aten._convolution: _convolution,
    aten.mm: _mm,
    aten.bmm: _bmm,
    aten.addmm: _addmm,
    aten.baddbmm: _baddbmm,
    aten.mul: _product,
    aten.addcmul: _addcmul,
    aten.native_batch_norm: _norm,
    aten._native_batch_norm_legit: _norm,
    aten._native_batch_norm_legit_no_training: _norm,
    aten._batch_norm_with_update: _norm,
    aten._batch_norm_no_update: _norm,
    aten.cudnn_batch_norm: _norm,
    aten.native_group_norm: _norm,
    aten.native_layer_norm: _norm,
}
"""The counting function of each ATen operation."""

FUSED_ATTENTION = (
    aten._scaled_dot_product_cudnn_attention,
    aten._scaled_dot_product_efficient_attention,
    aten._scaled_dot_product_flash_attention,
    aten._scaled_dot_product_flash_attention_for_cpu,
    aten._scaled_dot_product_fused_attention_overrideable,
)
"""Operations that compute both products of attention from query, key and value."""
