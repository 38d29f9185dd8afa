"""Packing of spikes into bits and small integers into bytes, in Triton.

The flag ``exact`` stays on the device and is cleared by any program that finds a value
that cannot be packed. The caller reads it, which synchronises.
"""

from collections.abc import Sequence

import torch
import triton
import triton.language as tl
from torch import Tensor

from ..layout import laid_out_alike
from ..spike_packing import WORDS
from .launching import OPTIONS, device_of, grid_of

_BYTES = 256
"""Bytes per program that packs or unpacks bits: eight numbers each."""

_NUMBERS = 512
"""Numbers per program that packs or unpacks bytes."""

_TRITON_WORDS = {2: tl.int16, 4: tl.int32, 8: tl.int64}


@triton.jit
def _pack_bits_kernel(
    words: tl.tensor,
    bits: tl.tensor,
    exact: tl.tensor,
    size: tl.int64,
    ONE: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    start = tl.program_id(0).to(tl.int64) * BLOCK
    byte = tl.arange(0, BLOCK)
    bit = tl.arange(0, 8)
    lane = byte[:, None] * 8 + bit[None, :]
    word = tl.load(words + start * 8 + lane, mask=lane < size - start * 8, other=0)
    fired = word == ONE
    packed = tl.sum(fired.to(tl.int32) << bit[None, :], axis=1)
    tl.store(bits + start + byte, packed, mask=byte * 8 < size - start * 8)
    wrong = (word != 0) & (word != ONE)
    tl.store(exact, False, mask=tl.sum(tl.sum(wrong.to(tl.int32), axis=1), axis=0) > 0)


@triton.jit
def _unpack_bits_kernel(
    bits: tl.tensor, out: tl.tensor, size: tl.int64, BLOCK: tl.constexpr
) -> None:
    start = tl.program_id(0).to(tl.int64) * BLOCK
    byte = tl.arange(0, BLOCK)
    bit = tl.arange(0, 8)
    packed = tl.load(bits + start + byte, mask=byte * 8 < size - start * 8, other=0)
    lane = byte[:, None] * 8 + bit[None, :]
    fired = (packed.to(tl.int32)[:, None] >> bit[None, :]) & 1
    tl.store(out + start * 8 + lane, fired.to(tl.float32), mask=lane < size - start * 8)


@triton.jit
def _pack_bytes_kernel(
    x: tl.tensor,
    numbers: tl.tensor,
    exact: tl.tensor,
    size: tl.int64,
    WORD: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    start = tl.program_id(0).to(tl.int64) * BLOCK
    lane = tl.arange(0, BLOCK)
    mask = lane < size - start
    value = tl.load(x + start + lane, mask=mask, other=0.0)
    known = (value >= 0.0) & (value <= 255.0)
    number = tl.where(known, value, 0.0).to(tl.int32)
    tl.store(numbers + start + lane, number, mask=mask)
    # compare bits, since -0.0 cannot be packed
    back = number.to(tl.float32).to(value.dtype).to(WORD, bitcast=True)
    wrong = back != value.to(WORD, bitcast=True)
    tl.store(exact, False, mask=tl.sum(wrong.to(tl.int32), axis=0) > 0)


@triton.jit
def _unpack_bytes_kernel(
    numbers: tl.tensor, out: tl.tensor, size: tl.int64, BLOCK: tl.constexpr
) -> None:
    start = tl.program_id(0).to(tl.int64) * BLOCK
    lane = tl.arange(0, BLOCK)
    mask = lane < size - start
    number = tl.load(numbers + start + lane, mask=mask, other=0)
    tl.store(out + start + lane, number.to(tl.float32), mask=mask)


def pack_bits(x: Tensor) -> tuple[Tensor, Tensor]:
    """Run ``mmsnn::pack_bits``, see :mod:`mmsnn.ops.spike_packing`."""
    (x,) = laid_out_alike(x)
    size = x.numel()
    bits = x.new_empty((size + 7) // 8, dtype=torch.uint8)
    exact = x.new_ones((), dtype=torch.bool)
    if size > 0:
        word = WORDS[x.element_size()]
        one = torch.ones((), dtype=x.dtype).view(word).item()
        with device_of(x):
            _pack_bits_kernel[grid_of(len(bits), _BYTES)](
                x.view(word), bits, exact, size, ONE=one, BLOCK=_BYTES, **OPTIONS
            )
    return bits, exact


def pack_bytes(x: Tensor) -> tuple[Tensor, Tensor]:
    """Run ``mmsnn::pack_bytes``, see :mod:`mmsnn.ops.spike_packing`."""
    (x,) = laid_out_alike(x)
    size = x.numel()
    numbers = x.new_empty(size, dtype=torch.uint8)
    exact = x.new_ones((), dtype=torch.bool)
    if size > 0:
        with device_of(x):
            _pack_bytes_kernel[grid_of(size, _NUMBERS)](
                x,
                numbers,
                exact,
                size,
                WORD=_TRITON_WORDS[x.element_size()],
                BLOCK=_NUMBERS,
                **OPTIONS,
            )
    return numbers, exact


def unpack_bits(
    bits: Tensor, shape: Sequence[int], strides: Sequence[int], dtype: torch.dtype
) -> Tensor:
    """Run ``mmsnn::unpack_bits``, see :mod:`mmsnn.ops.spike_packing`."""
    out = torch.empty_strided(shape, strides, dtype=dtype, device=bits.device)
    if out.numel() > 0:
        with device_of(bits):
            _unpack_bits_kernel[grid_of(len(bits), _BYTES)](
                bits, out, out.numel(), BLOCK=_BYTES, **OPTIONS
            )
    return out


def unpack_bytes(
    numbers: Tensor, shape: Sequence[int], strides: Sequence[int], dtype: torch.dtype
) -> Tensor:
    """Run ``mmsnn::unpack_bytes``, see :mod:`mmsnn.ops.spike_packing`."""
    out = torch.empty_strided(shape, strides, dtype=dtype, device=numbers.device)
    if out.numel() > 0:
        with device_of(numbers):
            _unpack_bytes_kernel[grid_of(out.numel(), _NUMBERS)](
                numbers, out, out.numel(), BLOCK=_NUMBERS, **OPTIONS
            )
    return out


__all__ = ['pack_bits', 'pack_bytes', 'unpack_bits', 'unpack_bytes']
