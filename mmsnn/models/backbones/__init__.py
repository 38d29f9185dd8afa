"""Spiking backbones."""

from .base import SpikingBackbone
from .densenet import DenseNetSNN
from .named_resnets import (
    DANet,
    EMSResNet,
    MSResNet,
    SEWResNet,
    SGResNet,
    SpikingResNet,
)
from .pooled import PooledResNet
from .resnet import ResNetOptions, ResNetSNN
from .settings import BackboneOptions, BackboneSettings
from .seven_b import SevenBNet
from .spikeformer import ESpikeFormer, MetaSpikeFormer
from .vgg import VGGSNN

__all__ = [
    'BackboneOptions',
    'BackboneSettings',
    'DANet',
    'DenseNetSNN',
    'EMSResNet',
    'ESpikeFormer',
    'MSResNet',
    'MetaSpikeFormer',
    'PooledResNet',
    'ResNetOptions',
    'ResNetSNN',
    'SEWResNet',
    'SGResNet',
    'SevenBNet',
    'SpikingBackbone',
    'SpikingResNet',
    'VGGSNN',
]
