"""The max-pool that holds places: PyTorch's results, with less."""

import pytest
import torch
from torch import nn

from mmsnn.models.layers import MaxPool2d

from ..test_backbones.held import held_bytes

LAYOUTS = [torch.contiguous_format, torch.channels_last]


def pools_of(size, stride=None, padding=0, ceil_mode=False):
    ours = MaxPool2d(size, stride, padding, ceil_mode)
    return ours, nn.MaxPool2d(size, stride, padding, ceil_mode=ceil_mode)


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize('layout', LAYOUTS)
@pytest.mark.parametrize('window', [(3, 2, 1), (2,), (3, 1, 1), (2, 2, 0, True)])
@pytest.mark.parametrize('shape', [(4, 5, 9, 11), (2, 1, 8, 8), (3, 4, 2, 2)])
def test_it_is_pytorchs(shape, window, layout, dtype) -> None:
    """Of spikes, where maxima are often equal, and of analog values."""
    for values in ((torch.rand(shape) < 0.4).float(), torch.randn(shape)):
        results = []
        for pool in pools_of(*window):
            x = values.to(dtype).contiguous(memory_format=layout).requires_grad_()
            y = pool(x)
            torch.manual_seed(0)
            y.backward(torch.randn(y.shape).to(dtype))
            with torch.no_grad():
                results.append((y.detach(), x.grad, pool(x)))
        assert results[0][1].any()
        assert all(map(torch.equal, *results))


@pytest.mark.parametrize('layout', LAYOUTS)
def test_what_it_holds(layout) -> None:
    """Four bytes an output, whatever the input is."""
    x = torch.rand(2, 3, 32, 32).contiguous(memory_format=layout)
    network = nn.Sequential(nn.Identity(), MaxPool2d(2))
    assert held_bytes(network, x.requires_grad_()) == 4 * 2 * 3 * 16 * 16


def test_unbatched_features() -> None:
    x = torch.rand(3, 8, 8, requires_grad=True)
    MaxPool2d(2)(x).sum().backward()
    assert x.grad.sum() == 3 * 4 * 4
