"""Max-pool that holds where the maxima were, and not its input."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class _MaxPool(torch.autograd.Function):
    """Keeps the places of the maxima, in 32 bits: PyTorch's has 64, and the input."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, *window: Any) -> Tensor:
        y, places = F.max_pool2d(x, *window, return_indices=True)
        ctx.save_for_backward(places.to(torch.int32))
        ctx.window, ctx.shape = window, x.shape
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (places,) = ctx.saved_tensors
        last = places.is_contiguous(memory_format=torch.channels_last)
        layout = torch.channels_last if last else torch.contiguous_format
        # of the input, shape and layout are wanted, not the values
        like = torch.empty(
            ctx.shape, dtype=grad.dtype, device=grad.device, memory_format=layout
        )
        grad_x = torch.ops.aten.max_pool2d_with_indices_backward(
            grad.contiguous(memory_format=layout), like, *ctx.window, places.long()
        )
        return grad_x, *[None] * len(ctx.window)


class MaxPool2d(nn.MaxPool2d):
    """PyTorch's max-pool, which holds a 32-bit number an output for its gradient.

    PyTorch's holds 64 bits and its input. What nets without spikes need anyway, since a
    ReLU is held by its output, is a second full-size tensor beside the potentials here.

    Args:
        kernel_size: Of a window, as all that follow.
        stride: Between windows; None is ``kernel_size``.
        padding: With minus infinity.

    Shape:
        ``[N, C, H, W]`` to ``[N, C, H', W']``.
    """

    def __init__(
        self, kernel_size: int, stride: int | None = None, padding: int = 0
    ) -> None:
        super().__init__(kernel_size, stride, padding)

    def forward(self, input: Tensor) -> Tensor:
        """See the class."""
        lean = input.requires_grad and torch.is_grad_enabled() and input.dim() == 4
        traced = torch.compiler.is_compiling() or torch.jit.is_tracing()
        if not lean or traced:
            return super().forward(input)
        window = ([n, n] for n in (self.kernel_size, self.stride, self.padding, 1))
        return _MaxPool.apply(input, *window, False)


__all__ = ['MaxPool2d']
