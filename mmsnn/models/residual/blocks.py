"""The basic block and the bottleneck, for every residual family."""

from torch import Tensor, nn

from mmsnn.models.layers import LayerFactory, Unit

from .families import Wiring

ConvShape = tuple[int, int, int, int]
"""Input channels, output channels, kernel size, stride."""


class ResidualBlock(nn.Module):
    """A residual block, wired as its family says.

    Args:
        in_channels: Channels of the input.
        channels: Channels of the block's 3x3 convolutions; the output has
            ``channels * expansion``.
        stride: Down-sampling factor of the block.
        wiring: The residual family.
        layers: Builds the layers.

    Shape:
        ``[T * N, in_channels, H, W]`` to ``[T * N, channels * expansion, H', W']``,
        ``H' = ceil(H / stride)``.
    """

    expansion = 1

    def __init__(
        self,
        in_channels: int,
        channels: int,
        stride: int,
        wiring: Wiring,
        layers: LayerFactory,
    ) -> None:
        super().__init__()
        *shapes, last = self.conv_shapes(in_channels, channels, stride)
        self.branch = nn.Sequential(
            *(Unit(wiring.unit, *shape, layers) for shape in shapes),
            Unit(wiring.last_unit, *last, layers),
        )
        out_channels = channels * self.expansion
        self.projection: Unit | None = None
        if stride != 1 or in_channels != out_channels:
            self.projection = Unit(
                wiring.projection, in_channels, out_channels, 1, stride, layers
            )
        self.merge = wiring.merge(out_channels)
        self.post: Unit | None = None
        if wiring.post:
            self.post = Unit(wiring.post, out_channels, out_channels, 1, 1, layers)

    @classmethod
    def conv_shapes(
        cls, in_channels: int, channels: int, stride: int
    ) -> list[ConvShape]:
        """Return the shapes of the branch's convolutions, first to last."""
        raise NotImplementedError(f'{cls.__name__} defines no convolutions')

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        shortcut = x if self.projection is None else self.projection(x)
        y = self.merge(residual=self.branch(x), shortcut=shortcut)
        return y if self.post is None else self.post(y)

    def init_identity(self) -> None:
        """Make the block start as the identity, where its shortcut is one."""
        last = self.branch[-1]
        self.merge.init_identity(
            last.get_submodule('norm'), last.get_submodule('neuron')
        )


class BasicBlock(ResidualBlock):
    """Two 3x3 convolutions (He et al. 2016, Fig. 5 left)."""

    @classmethod
    def conv_shapes(
        cls, in_channels: int, channels: int, stride: int
    ) -> list[ConvShape]:
        """See :meth:`ResidualBlock.conv_shapes`."""
        return [(in_channels, channels, 3, stride), (channels, channels, 3, 1)]


class Bottleneck(ResidualBlock):
    """1x1, 3x3 (strided) and 1x1 convolutions (He et al. 2016, Fig. 5 right)."""

    expansion = 4

    @classmethod
    def conv_shapes(
        cls, in_channels: int, channels: int, stride: int
    ) -> list[ConvShape]:
        """See :meth:`ResidualBlock.conv_shapes`."""
        return [
            (in_channels, channels, 1, 1),
            (channels, channels, 3, stride),
            (channels, channels * cls.expansion, 1, 1),
        ]
