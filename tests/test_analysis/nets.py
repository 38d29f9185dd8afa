"""Small networks whose operations can be counted, by hand or not."""

import torch
from mmengine.config import Config
from mmpretrain.registry import MODELS
from test_models.helpers import calibrate
from torch import Tensor, nn

from mmsnn.analysis import OperationCounter, Operations
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


@torch.no_grad()
def count(model: nn.Module, *images: Tensor) -> Operations:
    """Return the operations of the model's calls."""
    with OperationCounter(model) as counter:
        for image in images:
            model(image)
    return counter.result()


def layer_of(operations: Operations, name: str):
    """Return the one layer of this name."""
    (layer,) = (layer for layer in operations.layers if layer.name == name)
    return layer


def make_classifier(decoder: str = 'ASD', num_steps: int = 2, stem='cifar', **backbone):
    """Return a narrow classifier whose neurons fire in evaluation mode."""
    model = MODELS.build(
        Config(
            dict(
                type='ImageClassifier',
                backbone=dict(
                    type='mmsnn.SGResNet',
                    depth=10,
                    base_channels=8,
                    num_steps=num_steps,
                    stem=stem,
                    **backbone,
                ),
                neck=[
                    dict(
                        type='mmsnn.SpikeDecoder',
                        decoder=dict(type=decoder),
                        in_channels=[64],
                        num_steps=num_steps,
                    ),
                    dict(type='GlobalAveragePooling'),
                ],
                head=dict(type='LinearClsHead', num_classes=10, in_channels=64),
            )
        )
    )
    model.init_weights()
    return calibrate(model, torch.randn(8, 3, 16, 16)).eval()
