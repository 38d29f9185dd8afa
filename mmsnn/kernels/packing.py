"""Spikes in bits, and small integers in bytes: a 32nd and a quarter of fp32."""

import ctypes
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from . import _at, _call, _is_dense, _usable

_WORDS = {2: torch.int16, 4: torch.int32, 8: torch.int64}


@dataclass(frozen=True, eq=False)
class Packed:
    """A tensor of which every number takes a bit or a byte.

    Args:
        numbers: The bits, eight a byte and the first in the lowest, or the bytes.
        bits: Whether they are bits.
        shape: Shape of the tensor.
        stride: Its strides.
        dtype: Its dtype.
    """

    numbers: Tensor
    bits: bool
    shape: torch.Size
    stride: tuple[int, ...]
    dtype: torch.dtype


def pack(x: Tensor) -> Tensor | Packed:
    """Return a tensor packed, or as it is if its values or its layout do not allow it.

    Spikes, 0 or 1, are packed into a bit each, integers from 0 to 255 into a byte. What
    :func:`unpack` returns is the same to the bit.

    Args:
        x: Any tensor.
    """
    if not x.is_floating_point() or x.numel() == 0 or not _is_dense(x):
        return x
    for bits in (True, False):
        numbers = _packed(x.detach(), bits)
        if numbers is not None:
            return Packed(numbers, bits, x.shape, x.stride(), x.dtype)
    return x


def unpack(packed: Tensor | Packed) -> Tensor:
    """Return what was packed: values, strides and dtype."""
    if isinstance(packed, Tensor):
        return packed
    numbers = packed.numbers
    x = torch.empty_strided(
        packed.shape, packed.stride, dtype=packed.dtype, device=numbers.device
    )
    name = 'unpack_bits' if packed.bits else 'unpack_bytes'
    if _run(name, x, numbers, x) is None:
        flat = _in_memory(x)
        flat.copy_(_spread(numbers, len(flat)) if packed.bits else numbers)
    return x


def _run(name: str, x: Tensor, source: Tensor, target: Tensor) -> bool | None:
    """Call a kernel for a tensor ``x``; None if there is none for it."""
    lib = _usable(x)
    if lib is None:
        return None
    function = _call(lib, name, x.dtype)
    function.restype = ctypes.c_int
    return bool(
        function(
            _at(source),
            _at(target),
            ctypes.c_int64(x.numel()),
            ctypes.c_int(torch.get_num_threads()),
        )
    )


def _packed(x: Tensor, bits: bool) -> Tensor | None:
    """Return bits or bytes of a dense tensor, None if its values are others."""
    size = (x.numel() + 7) // 8 if bits else x.numel()
    numbers = torch.empty(size, dtype=torch.uint8, device=x.device)
    done = _run('pack_bits' if bits else 'pack_bytes', x, x, numbers)
    if done is not None:
        return numbers if done else None
    flat = _in_memory(x)
    values = (flat == 1 if bits else flat).to(torch.uint8)
    word = _WORDS[x.element_size()]
    if not torch.equal(values.to(x.dtype).view(word), flat.view(word)):
        return None
    return _gather(values, size) if bits else values


def _in_memory(x: Tensor) -> Tensor:
    """Return the numbers of a dense tensor in the order in which they are stored."""
    return x.as_strided((x.numel(),), (1,))


def _weights(device: Any) -> Tensor:
    return 2 ** torch.arange(8, dtype=torch.uint8, device=device)


def _gather(values: Tensor, size: int) -> Tensor:
    """Return zeros and ones as ``size`` bytes."""
    padded = torch.nn.functional.pad(values, (0, 8 * size - len(values)))
    weighed = padded.view(size, 8) * _weights(values.device)
    return weighed.sum(1, dtype=torch.uint8)


def _spread(bits: Tensor, size: int) -> Tensor:
    """Return the first ``size`` bits, each as a truth value."""
    return (bits[:, None] & _weights(bits.device)).flatten()[:size] != 0


__all__ = ['Packed', 'pack', 'unpack']
