"""Models: neurons, layers, residual families, stems, backbones and decoders."""

from .backbones import ResNetSNN, SEWResNet, SGResNet
from .decoders import ASD, Rate, SpikeDecoder
from .neurons import IF, LIF, PLIF
from .residual import FAMILIES, Wiring
from .stems import DirectStem

__all__ = [
    'ASD',
    'FAMILIES',
    'IF',
    'LIF',
    'PLIF',
    'DirectStem',
    'Rate',
    'ResNetSNN',
    'SEWResNet',
    'SGResNet',
    'SpikeDecoder',
    'Wiring',
]
