"""Models: neurons, layers, residual families, stems, backbones and decoders."""

from mmsnn._compat import require

require('torch', 'mmengine')

from mmsnn.models.initializers.published_spikeformers import (
    PretrainedSpikeFormer,
    convert_spikeformer,
)
from mmsnn.models.initializers.published_weights import PretrainedResNet, convert_resnet
from mmsnn.models.initializers.time_step_transfer import PretrainedSteps, convert_steps

from .backbones import (
    VGGSNN,
    DANet,
    DenseNetSNN,
    EMSResNet,
    ESpikeFormer,
    MetaSpikeFormer,
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
from .neurons import IF, ILIF, LIF, PLIF
from .residual import FAMILIES, Wiring
from .stems import DirectStem, GatedAttentionStem, LatencyStem, PhaseStem, RateStem

refuse_frames()

__all__ = [
    'ASD',
    'DANet',
    'DenseNetSNN',
    'FAMILIES',
    'IF',
    'ILIF',
    'LIF',
    'PLIF',
    'DirectStem',
    'EMSResNet',
    'ESpikeFormer',
    'GatedAttentionStem',
    'LatencyStem',
    'MSResNet',
    'MetaSpikeFormer',
    'PhaseStem',
    'PooledResNet',
    'PretrainedResNet',
    'PretrainedSpikeFormer',
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
    'convert_spikeformer',
    'convert_steps',
]
