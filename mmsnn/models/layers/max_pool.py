"""Max-pool that saves the indices of the maxima instead of its input."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class _MaxPool(torch.autograd.Function):
    """Saves the indices of the maxima as int32; PyTorch saves int64 and the input."""

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
        # only the shape and layout of the input are used, not its values
        like = torch.empty(
            ctx.shape, dtype=grad.dtype, device=grad.device, memory_format=layout
        )
        grad_x = torch.ops.aten.max_pool2d_with_indices_backward(
            grad.contiguous(memory_format=layout), like, *ctx.window, places.long()
        )
        return grad_x, *[None] * len(ctx.window)


class MaxPool2d(nn.MaxPool2d):
    """PyTorch's max-pool, saving one int32 per output for the backward pass.

    PyTorch saves an int64 per output and the input. In networks without spikes the
    input is saved anyway, as the output of a ReLU; here it would be a second full-size
    tensor in addition to the potentials.

    Args:
        kernel_size: Size of the windows.
        stride: Stride of the windows; None is ``kernel_size``.
        padding: Padding with minus infinity on both sides.
        ceil_mode: Whether sizes are rounded up, so that the last window may be smaller.

    Shape:
        ``[N, C, H, W]`` to ``[N, C, H', W']``.
    """

    def __init__(
        self,
        kernel_size: int,
        stride: int | None = None,
        padding: int = 0,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__(kernel_size, stride, padding, ceil_mode=ceil_mode)

    def forward(self, input: Tensor) -> Tensor:
        """Return the maximum of each window."""
        lean = input.requires_grad and torch.is_grad_enabled() and input.dim() == 4
        traced = torch.compiler.is_compiling() or torch.jit.is_tracing()
        if not lean or traced:
            return super().forward(input)
        window = ([n, n] for n in (self.kernel_size, self.stride, self.padding, 1))
        return _MaxPool.apply(input, *window, self.ceil_mode)


__all__ = ['MaxPool2d']
