"""Spiking backbones."""

from .base import SpikingBackbone
from .densenet import DenseNetSNN
from .named import DANet, MSResNet, SEWResNet, SGResNet, SpikingResNet
from .resnet import ResNetOptions, ResNetSNN
from .seven_b import SevenBNet

__all__ = [
    'DANet',
    'DenseNetSNN',
    'MSResNet',
    'ResNetOptions',
    'ResNetSNN',
    'SEWResNet',
    'SGResNet',
    'SevenBNet',
    'SpikingBackbone',
    'SpikingResNet',
]
