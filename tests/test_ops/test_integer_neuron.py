"""The integer neuron against its equations, compiled and by PyTorch's operations."""

import itertools

import pytest
import torch
from torch import Tensor

from mmsnn.ops import integer_multi_step

SETTINGS = list(itertools.product([1, 4], [True, False], [True, False]))


class Clip(torch.autograd.Function):
    """``round(clip(h, 0, D))``, of gradient 1 from 0 to D."""

    @staticmethod
    def forward(ctx, h: Tensor, max_value: int) -> Tensor:
        ctx.save_for_backward((h >= 0) & (h <= max_value))
        return h.clamp(0, max_value).round()

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None]:
        return grad * ctx.saved_tensors[0], None


def by_hand(x: Tensor, decay: float, max_value: int, normalize: bool, detach: bool):
    h = c = torch.zeros(())
    values = []
    for x_t in x.to(torch.promote_types(x.dtype, torch.float32)):
        h = decay * (h - (c.detach() if detach else c)) + x_t
        c = Clip.apply(h, max_value)
        values.append(c / max_value if normalize else c)
    return torch.stack(values).to(x.dtype)


def results(function, x: Tensor, *settings) -> tuple[Tensor, Tensor]:
    x = x.detach().requires_grad_()
    values = function(x, *settings)
    torch.manual_seed(1)
    upstream = torch.randn(values.shape).to(values.dtype)
    return values.detach(), torch.autograd.grad(values, x, upstream)[0]


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize('settings', SETTINGS, ids=str)
def test_equations(settings, dtype, implementation) -> None:
    max_value = settings[0]
    x = ((torch.rand(4, 3, 5, 8, 9) * 1.6 - 0.4) * max_value).to(dtype)
    found = results(integer_multi_step, x, 0.25, *settings)
    expected = results(by_hand, x, 0.25, *settings)
    assert torch.equal(found[0], expected[0])
    assert found[0].unique().numel() == max_value + 1
    torch.testing.assert_close(found[1], expected[1])


def test_a_worked_example(implementation) -> None:
    """Halves go to the even integer; what is clipped stays in the potential."""
    x = torch.tensor([[0.5, 1.5, 2.5, 6.0, -1.0], [0.0, 0.0, 0.0, 0.0, 1.0]])
    expected = [[0.0, 2.0, 2.0, 4.0, 0.0], [0.0, 0.0, 0.0, 1.0, 0.0]]
    assert integer_multi_step(x, 0.5, 4).tolist() == expected
