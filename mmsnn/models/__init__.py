"""Models: neurons, layers, residual families, stems, backbones and decoders."""

from mmsnn._compat import require

require('torch', 'mmengine')

from .backbones import (
    VGGSNN,
    DANet,
    DenseNetSNN,
    MSResNet,
    PooledResNet,
    ResNetSNN,
    SevenBNet,
    SEWResNet,
    SGResNet,
    SpikingResNet,
)
from .decoders import ASD, Rate, SpikeDecoder
from .frame_inputs import refuse_frames
from .neurons import IF, LIF, PLIF
from .pretrained import PretrainedResNet, convert_resnet
from .residual import FAMILIES, Wiring
from .stems import DirectStem, GatedAttentionStem, LatencyStem, PhaseStem, RateStem
from .transfer import PretrainedSteps, convert_steps

refuse_frames()

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
    'PooledResNet',
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
    'VGGSNN',
    'Wiring',
    'convert_resnet',
    'convert_steps',
]
