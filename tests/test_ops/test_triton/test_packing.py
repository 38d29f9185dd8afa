"""Packed spikes: the same bits and bytes as on a CPU, and back to the bit."""

from typing import Any

import pytest
import torch
from torch import Tensor

import mmsnn.ops.triton as kernels

from .neuron_cases import DTYPES, channels_last, contiguous, random

pytestmark = pytest.mark.gpu


def round_trip(kind: str, x: Tensor, device: torch.device) -> None:
    numbers, exact = getattr(kernels, f'pack_{kind}')(x.to(device))
    expected, _ = getattr(torch.ops.mmsnn, f'pack_{kind}')(x)
    assert numbers.dtype == torch.uint8
    assert torch.equal(numbers.cpu(), expected)
    assert exact.dtype == torch.bool and exact.shape == () and exact.item()
    unpack = getattr(kernels, f'unpack_{kind}')
    back = unpack(numbers, x.shape, x.stride(), x.dtype)
    assert back.dtype == x.dtype and back.stride() == x.stride()
    assert torch.equal(back.cpu(), x)


# a program packs 256 bytes of bits, which are 2048 numbers, or 512 bytes
@pytest.mark.parametrize('size', [1, 8, 511, 2049])
@pytest.mark.parametrize('dtype', DTYPES)
def test_sizes(size: int, dtype: torch.dtype, device: torch.device) -> None:
    round_trip('bits', (random(size) > 0).to(dtype), device)
    round_trip(
        'bytes', (random(size).abs() * 80).clamp(max=255).round().to(dtype), device
    )


@pytest.mark.parametrize('layout', [contiguous, channels_last])
@pytest.mark.parametrize('dtype', DTYPES)
def test_layouts(layout: Any, dtype: torch.dtype, device: torch.device) -> None:
    x = layout(2).flatten(0, 1)
    round_trip('bits', (x > 0).to(dtype), device)
    round_trip('bytes', (x.abs() * 20).round().to(dtype), device)


@pytest.mark.parametrize('position', [0, 2999])
@pytest.mark.parametrize('dtype', DTYPES)
def test_other_values(dtype: torch.dtype, position: int, device: torch.device) -> None:
    nan, inf = float('nan'), float('inf')
    for kind, others in (
        ('bits', (2.0, 0.5, -1.0, -0.0, nan, inf)),
        ('bytes', (256.0, 0.5, -1.0, -0.0, 1e-6, nan, inf, -inf)),
    ):
        for other in others:
            x = torch.ones(3000, dtype=dtype, device=device)
            x[position] = other
            assert not getattr(kernels, f'pack_{kind}')(x)[1].item()


def test_nothing(device: torch.device) -> None:
    round_trip('bits', torch.zeros(0, 3), device)
    round_trip('bytes', torch.zeros(0, 3), device)
