"""Small networks whose operations can be counted by hand."""

import torch
from torch import Tensor, nn

from mmsnn.models.neurons import IF


class TwoLayers(nn.Module):
    """A weight of 1 on one pixel, IF neurons of threshold 1, then a 3x3 convolution.

    Pixels are the neurons' constant currents.
    """

    def __init__(self, num_steps: int = 2, out_channels: int = 2) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 1, 1, bias=False)
        nn.init.ones_(self.first.weight)
        self.neuron = IF(num_steps=num_steps)
        self.second = nn.Conv2d(1, out_channels, 3, padding=1, bias=False)
        self.num_steps = num_steps

    def forward(self, image: Tensor) -> Tensor:
        """Return ``[T * N, out_channels, H, W]``."""
        current = self.first(image)
        return self.second(self.neuron(torch.cat([current] * self.num_steps)))


class Holder(nn.Module):
    """A layer as the only child of a model."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """Return what the layer makes of it."""
        return self.layer(x)
