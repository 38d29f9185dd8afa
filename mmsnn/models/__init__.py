"""Models: neurons, layers, residual families, stems, backbones and decoders."""

from .backbones import (
    DANet,
    MSResNet,
    ResNetSNN,
    SEWResNet,
    SGResNet,
    SpikingResNet,
)
from .decoders import ASD, Rate, SpikeDecoder
from .neurons import IF, LIF, PLIF
from .residual import FAMILIES, Wiring
from .stems import DirectStem

__all__ = [
    'ASD',
    'DANet',
    'FAMILIES',
    'IF',
    'LIF',
    'PLIF',
    'DirectStem',
    'MSResNet',
    'Rate',
    'ResNetSNN',
    'SEWResNet',
    'SGResNet',
    'SpikeDecoder',
    'SpikingResNet',
    'Wiring',
]
