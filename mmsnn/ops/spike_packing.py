"""Pack spikes into bits and small integers into bytes, 1/32 and 1/4 of fp32."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from . import native
from .checks import check_floating
from .layout import fills_memory, is_dense
from .registration import register

WORDS = {2: torch.int16, 4: torch.int32, 8: torch.int64}


@dataclass(frozen=True, eq=False)
class Packed:
    """A tensor packed into one bit or one byte per number.

    Args:
        numbers: The packed bytes; bits are stored eight per byte, lowest bit first.
        bits: Whether each number is a bit instead of a byte.
        shape: Shape of the original tensor.
        stride: Strides of the original tensor.
        dtype: Dtype of the original tensor.
    """

    numbers: Tensor
    bits: bool
    shape: torch.Size
    stride: tuple[int, ...]
    dtype: torch.dtype


def pack(x: Tensor) -> Tensor | Packed:
    """Pack a tensor, or return it unchanged if its values or layout do not allow it.

    Spikes (0 or 1) are packed into one bit each, integers from 0 to 255 into one byte.
    :func:`unpack` returns a bit-identical tensor.

    Args:
        x: Any tensor.
    """
    if not x.is_floating_point() or x.numel() == 0 or not is_dense(x):
        return x
    operators = torch.ops.mmsnn.pack_bits, torch.ops.mmsnn.pack_bytes
    for operator, bits in zip(operators, (True, False), strict=True):
        numbers, exact = operator(x.detach())
        if exact:
            return Packed(numbers, bits, x.shape, x.stride(), x.dtype)
    return x


def unpack(packed: Tensor | Packed) -> Tensor:
    """Return the original tensor, with its values, strides and dtype."""
    if isinstance(packed, Tensor):
        return packed
    ops = torch.ops.mmsnn
    operator = ops.unpack_bits if packed.bits else ops.unpack_bytes
    return operator(packed.numbers, packed.shape, packed.stride, packed.dtype)


def _check_pack(x: Tensor) -> None:
    check_floating('x', x)


def _fake_pack_bits(x: Tensor) -> tuple[Tensor, Tensor]:
    bits = x.new_empty((x.numel() + 7) // 8, dtype=torch.uint8)
    return bits, x.new_empty((), dtype=torch.bool)


def _fake_pack_bytes(x: Tensor) -> tuple[Tensor, Tensor]:
    numbers = x.new_empty(x.numel(), dtype=torch.uint8)
    return numbers, x.new_empty((), dtype=torch.bool)


def _reference_pack_bits(x: Tensor) -> tuple[Tensor, Tensor]:
    flat = _in_memory(x)
    values = (flat == 1).to(torch.uint8)
    padded = torch.nn.functional.pad(values, (0, -len(values) % 8))
    weighed = padded.view(-1, 8) * _weights(x)
    return weighed.sum(1, dtype=torch.uint8), _is_exact(values, flat)


def _reference_pack_bytes(x: Tensor) -> tuple[Tensor, Tensor]:
    flat = _in_memory(x)
    numbers = flat.to(torch.uint8)
    return numbers, _is_exact(numbers, flat)


def _cpu_pack_bits(x: Tensor) -> tuple[Tensor, Tensor]:
    if not native.serves(x):
        return _reference_pack_bits(x)
    return native.pack(_dense(x), 'pack_bits', (x.numel() + 7) // 8)


def _cpu_pack_bytes(x: Tensor) -> tuple[Tensor, Tensor]:
    if not native.serves(x):
        return _reference_pack_bytes(x)
    return native.pack(_dense(x), 'pack_bytes', x.numel())


def _check_unpack_bits(
    bits: Tensor, shape: Sequence[int], strides: Sequence[int], dtype: torch.dtype
) -> None:
    _check_bytes(bits, (math.prod(shape) + 7) // 8)
    _check_strides(shape, strides)


def _check_unpack_bytes(
    numbers: Tensor, shape: Sequence[int], strides: Sequence[int], dtype: torch.dtype
) -> None:
    _check_bytes(numbers, math.prod(shape))
    _check_strides(shape, strides)


def _check_bytes(numbers: Tensor, size: int) -> None:
    if numbers.dtype != torch.uint8:
        raise TypeError(f'packed numbers must be torch.uint8, but got {numbers.dtype}')
    if numbers.dim() != 1 or numbers.shape[0] != size or not numbers.is_contiguous():
        raise ValueError(
            f'packed numbers must be {size} contiguous bytes for the shape, but got '
            f'shape {tuple(numbers.shape)} with strides {numbers.stride()}'
        )


def _check_strides(shape: Sequence[int], strides: Sequence[int]) -> None:
    """Check that kernels, which write one number after the other, stay in memory."""
    if math.prod(shape) > 0 and not fills_memory(shape, strides):
        raise ValueError(
            f'strides must fill the memory of shape {tuple(shape)}, but got '
            f'{tuple(strides)}'
        )


def _fake_unpack(
    numbers: Tensor, shape: Sequence[int], strides: Sequence[int], dtype: torch.dtype
) -> Tensor:
    return torch.empty_strided(shape, strides, dtype=dtype, device=numbers.device)


def _reference_unpack_bits(
    bits: Tensor, shape: Sequence[int], strides: Sequence[int], dtype: torch.dtype
) -> Tensor:
    x = _fake_unpack(bits, shape, strides, dtype)
    fired = (bits[:, None] & _weights(bits)).flatten()[: x.numel()] != 0
    _in_memory(x).copy_(fired)
    return x


def _reference_unpack_bytes(
    numbers: Tensor, shape: Sequence[int], strides: Sequence[int], dtype: torch.dtype
) -> Tensor:
    x = _fake_unpack(numbers, shape, strides, dtype)
    _in_memory(x).copy_(numbers)
    return x


def _cpu_unpack_bits(
    bits: Tensor, shape: Sequence[int], strides: Sequence[int], dtype: torch.dtype
) -> Tensor:
    x = _fake_unpack(bits, shape, strides, dtype)
    if native.serves(x):
        return native.unpack_(x, 'unpack_bits', bits)
    return _reference_unpack_bits(bits, shape, strides, dtype)


def _cpu_unpack_bytes(
    numbers: Tensor, shape: Sequence[int], strides: Sequence[int], dtype: torch.dtype
) -> Tensor:
    x = _fake_unpack(numbers, shape, strides, dtype)
    if native.serves(x):
        return native.unpack_(x, 'unpack_bytes', numbers)
    return _reference_unpack_bytes(numbers, shape, strides, dtype)


def _dense(x: Tensor) -> Tensor:
    return x if is_dense(x) else torch.empty_like(x).copy_(x)


def _in_memory(x: Tensor) -> Tensor:
    """Return the numbers of a dense tensor in storage order."""
    x = _dense(x)
    return x.as_strided((x.numel(),), (1,))


def _is_exact(values: Tensor, flat: Tensor) -> Tensor:
    """Return whether two vectors hold the same numbers, bit for bit."""
    word = WORDS[flat.element_size()]
    return (values.to(flat.dtype).view(word) == flat.view(word)).all()


def _weights(like: Tensor) -> Tensor:
    return 2 ** torch.arange(8, dtype=torch.uint8, device=like.device)


register(
    'pack_bits',
    'spike_packing',
    _check_pack,
    _fake_pack_bits,
    _reference_pack_bits,
    _cpu_pack_bits,
)
register(
    'pack_bytes',
    'spike_packing',
    _check_pack,
    _fake_pack_bytes,
    _reference_pack_bytes,
    _cpu_pack_bytes,
)
register(
    'unpack_bits',
    'spike_packing',
    _check_unpack_bits,
    _fake_unpack,
    _reference_unpack_bits,
    _cpu_unpack_bits,
)
register(
    'unpack_bytes',
    'spike_packing',
    _check_unpack_bytes,
    _fake_unpack,
    _reference_unpack_bytes,
    _cpu_unpack_bytes,
)

__all__ = ['Packed', 'pack', 'unpack']
