"""Spiking backbones."""

from .base import SpikingBackbone
from .named import DANet, MSResNet, SEWResNet, SGResNet, SpikingResNet
from .resnet import ResNetOptions, ResNetSNN

__all__ = [
    'DANet',
    'MSResNet',
    'ResNetOptions',
    'ResNetSNN',
    'SEWResNet',
    'SGResNet',
    'SpikingBackbone',
    'SpikingResNet',
]
