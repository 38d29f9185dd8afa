"""Models: neurons, layers, residual families, stems, backbones and decoders."""

from mmsnn._compat import require

require('torch', 'mmengine')

from .backbones import (
    DANet,
    DenseNetSNN,
    MSResNet,
    ResNetSNN,
    SevenBNet,
    SEWResNet,
    SGResNet,
    SpikingResNet,
)
from .decoders import ASD, Rate, SpikeDecoder
from .neurons import IF, LIF, PLIF
from .pretrained import PretrainedResNet, convert_resnet
from .residual import FAMILIES, Wiring
from .stems import DirectStem, GatedAttentionStem, LatencyStem, PhaseStem, RateStem
from .transfer import PretrainedSteps, convert_steps

__all__ = [
    'ASD',
    'DANet',
    'DenseNetSNN',
    'FAMILIES',
    'IF',
    'LIF',
    'PLIF',
    'DirectStem',
    'GatedAttentionStem',
    'LatencyStem',
    'MSResNet',
    'PhaseStem',
    'PretrainedResNet',
    'PretrainedSteps',
    'Rate',
    'RateStem',
    'ResNetSNN',
    'SEWResNet',
    'SGResNet',
    'SevenBNet',
    'SpikeDecoder',
    'SpikingResNet',
    'Wiring',
    'convert_resnet',
    'convert_steps',
]
