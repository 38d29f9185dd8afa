"""The binary selection gate, compiled and by PyTorch's operations."""

import pytest
import torch
from torch import Tensor

from mmsnn.models.residual import GateMerge
from mmsnn.ops import gate


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
@pytest.mark.parametrize('channels_last', [True, False])
def test_gate(dtype, channels_last, reference) -> None:
    """The binary selection gate on spikes and on graded values, and its gradients."""
    merge = GateMerge(3)
    layout = torch.channels_last if channels_last else torch.contiguous_format

    def results(h: Tensor, x: Tensor) -> tuple[Tensor, ...]:
        h, x = (
            t.detach().contiguous(memory_format=layout).requires_grad_() for t in (h, x)
        )
        y = merge(residual=h, shortcut=x)
        torch.manual_seed(2)
        upstream = torch.randn(y.shape).to(dtype).contiguous(memory_format=layout)
        return (y.detach(), *torch.autograd.grad(y, (h, x), upstream))

    spikes = [(torch.rand(4, 3, 9, 9) < 0.4).to(dtype) for _ in range(2)]
    y, by_h, by_x = results(*spikes)
    assert torch.equal(y, torch.maximum(*spikes))
    for found, expected in zip(
        (y, by_h, by_x), reference(results, *spikes), strict=True
    ):
        assert found.stride() == expected.stride()
        torch.testing.assert_close(found, expected)
    graded = [torch.rand(4, 3, 9, 9).to(dtype) for _ in range(2)]
    for found, expected in zip(
        results(*graded), reference(results, *graded), strict=True
    ):
        torch.testing.assert_close(found, expected)


def test_gate_of_tensors_that_differ_in_layout(implementation) -> None:
    """Values do not depend on the layout; the residual's is kept."""
    h, x = torch.rand(2, 3, 4, 4), torch.rand(2, 3, 4, 4)
    last = x.contiguous(memory_format=torch.channels_last)
    for residual, shortcut in ((h, last), (last, h), (h[:1].expand(2, 3, 4, 4), x)):
        residual.requires_grad_(), shortcut.requires_grad_()
        y = gate(residual, shortcut)
        torch.testing.assert_close(y, residual**2 + (1 - residual) * shortcut)
        assert y.stride() == torch.empty_like(residual).stride()
        upstream = torch.rand(2, 3, 4, 4)
        found = torch.autograd.grad(y, (residual, shortcut), upstream)
        torch.testing.assert_close(found[0], upstream * (2 * residual - shortcut))
        torch.testing.assert_close(found[1], upstream * (1 - residual))
