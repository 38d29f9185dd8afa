"""Spikes in bits and integers in bytes are exact, compiled or not."""

import pytest
import torch
from torch import Tensor

from mmsnn.ops import Packed, pack, unpack

DTYPES = [torch.float32, torch.bfloat16, torch.float16, torch.float64]
SHAPES = [(1,), (7,), (8,), (4096,), (4097,), (3, 5, 7, 9), (2, 8, 16, 3), (100_003,)]


def spikes(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return (torch.rand(shape) < 0.3).to(dtype)


def integers(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Return all that fit a byte."""
    x = torch.randint(0, 256, shape)
    x.view(-1)[:1] = 255
    return x.to(dtype)


def same(x: Tensor, y: Tensor) -> bool:
    """Return whether two tensors are the same to the bit, and laid out alike."""
    word = {2: torch.int16, 4: torch.int32, 8: torch.int64}[x.element_size()]
    equal = torch.equal(x.contiguous().view(word), y.contiguous().view(word))
    return x.dtype == y.dtype and x.stride() == y.stride() and equal


@pytest.mark.parametrize('dtype', DTYPES, ids=str)
@pytest.mark.parametrize('shape', SHAPES, ids=str)
@pytest.mark.parametrize(('make', 'bits'), [(spikes, 8), (integers, 1)])
def test_there_and_back(make, bits, shape, dtype, implementation) -> None:
    """Any size, of which eight need be no part."""
    x = make(*shape, dtype=dtype)
    packed = pack(x)
    assert isinstance(packed, Packed)
    assert packed.numbers.dtype == torch.uint8
    assert packed.numbers.numel() == -(-x.numel() // bits)
    assert same(unpack(packed), x)


def test_the_implementations_pack_alike(reference) -> None:
    """The first spike is the lowest bit."""
    x = spikes(4, 33, 7)
    assert torch.equal(pack(x).numbers, reference(pack, x).numbers)
    few = torch.tensor([1.0, 0, 0, 0, 0, 0, 0, 0, 0, 1])
    assert pack(few).numbers.tolist() == [1, 2]


OTHERS = [0.5, -1.0, 256.0, 1e30, -0.0, float('nan'), float('inf'), -float('inf')]


@pytest.mark.parametrize('dtype', DTYPES, ids=str)
@pytest.mark.parametrize('other', OTHERS)
def test_one_other_number_keeps_all_as_they_are(other, dtype, implementation) -> None:
    """Anywhere: in the first block or in the last."""
    for place in (0, 5000, 9998):
        x = spikes(9999, dtype=dtype)
        x[place] = other
        assert pack(x) is x


def test_one_integer_makes_bytes(implementation) -> None:
    """A bit would lose it."""
    x = spikes(9999)
    x[-1] = 2
    packed = pack(x)
    assert not packed.bits
    assert same(unpack(packed), x)


def test_layouts(implementation) -> None:
    """What fills its memory is packed, in whatever order; other views are kept."""
    x = spikes(2, 3, 4, 5)
    last = x.contiguous(memory_format=torch.channels_last)
    for dense in (x, last, x.permute(2, 0, 3, 1), last[1], x[1:]):
        assert isinstance(pack(dense), Packed)
        assert same(unpack(pack(dense)), dense)
    for view in (x[:, ::2], x[:1].expand(7, 3, 4, 5), x[..., 1:]):
        assert pack(view) is view


def test_what_is_not_packed() -> None:
    """Nothing, and what is no floating tensor."""
    for x in (torch.empty(0), torch.ones(3, dtype=torch.int64), torch.ones(3).bool()):
        assert pack(x) is x
        assert unpack(x) is x


@pytest.mark.parametrize('threads', [1, 2])
def test_threads(threads) -> None:
    """Shares of several threads, the last not full; one number out of place."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for make in (spikes, integers):
            x = make(300_001)
            assert same(unpack(pack(x)), x)
            x[-1] = 0.5
            assert pack(x) is x
    finally:
        torch.set_num_threads(before)
