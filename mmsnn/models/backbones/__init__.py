"""Spiking backbones."""

from .named import SEWResNet, SGResNet
from .resnet import ResNetSNN

__all__ = ['ResNetSNN', 'SEWResNet', 'SGResNet']
