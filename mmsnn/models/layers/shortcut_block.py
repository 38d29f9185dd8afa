"""Blocks of spike-driven Transformers: branches with shortcuts of analog values."""

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from .recompute import Recomputable
from .unit import LayerFactory, Unit

SEPARABLE_RATIO = 2
MLP_RATIO = 4
"""Channels inside a separable convolution and an MLP, in multiples of the block's."""


class ShortcutBlock(Recomputable):
    """Branches in sequence, each with a shortcut: ``x = x + branch(x)``.

    Args:
        branches: The branches by name, first to last.

    Shape:
        ``[T * N, C, H, W]`` to the same shape, of analog values.
    """

    def __init__(self, branches: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.branches = nn.ModuleDict(branches)

    def compute(self, x: Tensor) -> Tensor:
        """Return the sum of the input and the branches' outputs."""
        for branch in self.branches.values():
            x = x + branch(x)
        return x


def separable_conv(
    channels: int, kernel_size: int, orders: Sequence[str], layers: LayerFactory
) -> nn.Sequential:
    """Return a 1x1, a depthwise and a 1x1 convolution, twice as wide inside."""
    width = SEPARABLE_RATIO * channels
    first, middle, last = orders
    return nn.Sequential(
        Unit(first, channels, width, 1, 1, layers),
        Unit(middle, width, width, kernel_size, 1, layers, groups=width),
        Unit(last, width, channels, 1, 1, layers),
    )


def mlp(
    channels: int, kernel_size: int, layers: LayerFactory, bias: bool
) -> nn.Sequential:
    """Return two convolutions with four times the channels between them."""
    width = MLP_RATIO * channels
    return nn.Sequential(
        Unit('SCN', channels, width, kernel_size, 1, layers, bias),
        Unit('SCN', width, channels, kernel_size, 1, layers, bias),
    )


__all__ = ['ShortcutBlock', 'mlp', 'separable_conv']
