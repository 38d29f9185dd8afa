"""The basic block and the bottleneck of all residual families, and their stages."""

from typing import cast

import torch
from torch import Tensor, nn

from mmsnn.models.layers import LayerFactory, MaxPool2d, Recomputable, Unit

from .families import Wiring
from .merges import Merge

ConvShape = tuple[int, int, int, int]
"""Input channels, output channels, kernel size, stride."""


class ResidualBlock(Recomputable):
    """A residual block of a given family.

    Args:
        in_channels: Channels of the input.
        channels: Channels of the block's 3x3 convolutions; the output has
            ``channels * expansion``.
        stride: Downsampling factor of the block.
        wiring: The residual family.
        layers: Builds the layers.
        avg_down: Whether a projection downsamples by ``stride x stride`` average
            pooling before its convolution, instead of by its stride.

    Shape:
        ``[T * N, in_channels, H, W]`` to ``[T * N, channels * expansion, H', W']``,
        ``H' = ceil(H / stride)``.

    Raises:
        ValueError: If projections of the family pool already, but ``avg_down`` is True.
    """

    expansion = 1

    def __init__(
        self,
        in_channels: int,
        channels: int,
        stride: int,
        wiring: Wiring,
        layers: LayerFactory,
        avg_down: bool = False,
    ) -> None:
        super().__init__()
        *shapes, last = self.conv_shapes(in_channels, channels, stride)
        out_channels = channels * self.expansion
        paths = layers.scaled(wiring.path_alpha)
        last_layers = paths.scaled(wiring.last_alpha)
        self.branch = nn.Sequential(
            *(Unit(wiring.unit, *shape, layers) for shape in shapes),
            Unit(wiring.last_unit, *last, last_layers),
        )
        self.merge: Merge | None = None
        self.pool: nn.Module | None = None
        self.projection: Unit | None = None
        self.concatenates = False
        self._channels_first = False
        if wiring.merge is not None:
            self.merge = wiring.merge(out_channels, **wiring.merge_options)
            if stride == 1 and in_channels == out_channels:
                if wiring.identity:
                    size = (in_channels, out_channels, 1, 1)
                    self.projection = Unit(wiring.identity, *size, paths)
            else:
                self._project(
                    in_channels, out_channels, stride, wiring, paths, avg_down
                )
        self.post: Unit | None = None
        if wiring.post:
            self.post = Unit(wiring.post, out_channels, out_channels, 1, 1, layers)

    def _project(
        self,
        in_channels: int,
        out_channels: int,
        stride: int,
        wiring: Wiring,
        layers: LayerFactory,
        avg_down: bool,
    ) -> None:
        """Build the shortcut of a block that changes the size."""
        if avg_down and wiring.pools:
            raise ValueError(
                'avg_down must be False for a family whose projections begin with a '
                f'max-pool ({wiring.projection}), but got True'
            )
        # pools round odd sizes up, as convolutions and MMDetection's ResNet
        if stride != 1 and wiring.pools:
            self.pool = MaxPool2d(stride, ceil_mode=True)
        elif stride != 1 and avg_down:
            self.pool = nn.AvgPool2d(stride, ceil_mode=True, count_include_pad=False)
        if self.pool is not None:
            stride = 1
        self.concatenates = wiring.concatenates and out_channels > in_channels
        if self.concatenates:
            out_channels -= in_channels
        # In channels-last, the backward pass of oneDNN 3.7 (PyTorch 2.10) writes beyond
        # its memory for strided 1x1 convolutions of few channels with AVX-512.
        self._channels_first = stride > 1 and in_channels < 16
        order = wiring.projection_layers
        self.projection = Unit(order, in_channels, out_channels, 1, stride, layers)

    @classmethod
    def conv_shapes(
        cls, in_channels: int, channels: int, stride: int
    ) -> list[ConvShape]:
        """Return the shapes of the branch's convolutions, first to last."""
        raise NotImplementedError(f'{cls.__name__} defines no convolutions')

    def compute(self, x: Tensor) -> Tensor:
        """Return the merge of branch and shortcut."""
        y = self.branch(x)
        if self.merge is not None:
            y = self.merge(residual=y, shortcut=self.shortcut(x))
        return y if self.post is None else self.post(y)

    def shortcut(self, x: Tensor) -> Tensor:
        """Return the shortcut's output, which is merged with the branch's."""
        if self.pool is not None:
            x = self.pool(x)
        if self.projection is None:
            return x
        if self._channels_first:
            y = self.projection(x.contiguous())
            y = y.contiguous(memory_format=torch.channels_last)
        else:
            y = self.projection(x)
        return torch.cat([y, x], dim=1) if self.concatenates else y

    def init_identity(self) -> None:
        """Make the merge return the shortcut for any input of the branch.

        Raises:
            ValueError: If the block has no shortcut, or its norms no parameters.
        """
        if self.merge is None:
            raise ValueError('a block without a shortcut cannot start as the identity')
        self.merge.init_identity(cast(Unit, self.branch[-1]))


class BasicBlock(ResidualBlock):
    """Two 3x3 convolutions (He et al. 2016, Fig. 5 left)."""

    @classmethod
    def conv_shapes(
        cls, in_channels: int, channels: int, stride: int
    ) -> list[ConvShape]:
        """Return the shapes of both convolutions."""
        return [(in_channels, channels, 3, stride), (channels, channels, 3, 1)]


class Bottleneck(ResidualBlock):
    """1x1, 3x3 (strided) and 1x1 convolutions (He et al. 2016, Fig. 5 right)."""

    expansion = 4

    @classmethod
    def conv_shapes(
        cls, in_channels: int, channels: int, stride: int
    ) -> list[ConvShape]:
        """Return the shapes of the three convolutions."""
        return [
            (in_channels, channels, 1, 1),
            (channels, channels, 3, stride),
            (channels, channels * cls.expansion, 1, 1),
        ]


class DenselyAdditive(nn.Sequential):
    r"""A stage in which each block's input is the sum of all previous outputs.

    .. math::
        f_0 = B_0(x), \quad f_i = B_i\Big(\sum_{j<i} f_j\Big), \quad
        y = \sum_i f_i

    (Li et al., Eq. 11 and Listing 1.) :math:`B_i` is the whole block with its own
    shortcut. If the blocks return spikes, the output is integers. For branches without
    shortcuts it is the ordinary residual stage (Eq. 10).

    According to the paper's text, stages of two blocks are unchanged; its listing,
    which is followed here, adds their outputs too.

    Args:
        *blocks: Modules of the same output shape.

    Shape:
        ``[T * N, C_in, H, W]`` to the output shape of the blocks.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum of the blocks' outputs."""
        first, *others = self
        total = first(x)
        for block in others:
            total = total + block(total)
        return total


def make_stage(
    block: type[ResidualBlock],
    num_blocks: int,
    in_channels: int,
    channels: int,
    stride: int,
    wiring: Wiring,
    layers: LayerFactory,
    avg_down: bool = False,
) -> nn.Sequential:
    """Return a stage of blocks, the first of which changes the size.

    Args:
        block: Class of the blocks.
        num_blocks: Number of blocks.
        in_channels: Channels of the input.
        channels: Channels of the blocks' 3x3 convolutions.
        stride: Downsampling factor of the first block.
        wiring: The residual family.
        layers: Builds the layers.
        avg_down: How projections downsample, see :class:`ResidualBlock`.
    """
    blocks = []
    for i in range(num_blocks):
        first = i == 0
        blocks.append(
            block(
                in_channels if first else channels * block.expansion,
                channels,
                stride if first else 1,
                wiring,
                layers,
                avg_down,
            )
        )
    return (DenselyAdditive if wiring.densely_additive else nn.Sequential)(*blocks)
