"""Measurements of networks: operations, energy, firing rates, gradients and coding.

Collectors are context managers that register hooks on a model and remove them on exit;
their ``result()`` is a frozen dataclass with the units in the names of its fields.
"""

from mmsnn._compat import require

require('torch', 'mmengine', 'mmcv', 'mmdet')

from .coding import Coding, CodingDynamics, EncoderCoding
from .collector import Collector
from .energy import (
    ENERGY_MODELS,
    MEMORY_PJ_PER_BYTE,
    CountingRules,
    EnergyEstimate,
    EnergyModel,
    ImageOperations,
    LayerEnergy,
    LayerMemory,
    LayerOperations,
    MemoryEstimate,
    NeuronOperations,
    OperationCounter,
    Operations,
    Synaptic,
    energy_pj,
    estimate_energy,
    estimate_memory,
    without_spikes,
)
from .firing import BlockFiring, Firing, FiringRates, NeuronFiring, expected_mean
from .gradcam import GradCAM, ImageCam, LayerCam, compute_cam, explain_prediction
from .gradients import (
    BlockGradient,
    GradientFlow,
    Gradients,
    GradientStability,
    LayerGradient,
    NeuronStability,
    Stability,
)
from .model_parts import find_parts, named_blocks, named_neurons
from .predictions import ClassScores, Detections, read_prediction
from .recorders import (
    AttentionCapture,
    DecoderAttention,
    GateAttention,
    ImageAttention,
    ImageSpikes,
    InputImage,
    LayerSpikes,
    PotentialTrace,
    SpikeCapture,
    choose_neurons,
    has_attention,
)

__all__ = [
    'AttentionCapture',
    'BlockFiring',
    'BlockGradient',
    'ClassScores',
    'Coding',
    'CodingDynamics',
    'Collector',
    'CountingRules',
    'DecoderAttention',
    'Detections',
    'ENERGY_MODELS',
    'EncoderCoding',
    'EnergyEstimate',
    'EnergyModel',
    'Firing',
    'FiringRates',
    'GateAttention',
    'GradCAM',
    'GradientFlow',
    'GradientStability',
    'Gradients',
    'ImageAttention',
    'ImageCam',
    'ImageOperations',
    'ImageSpikes',
    'InputImage',
    'LayerCam',
    'LayerEnergy',
    'LayerGradient',
    'LayerMemory',
    'LayerOperations',
    'LayerSpikes',
    'MEMORY_PJ_PER_BYTE',
    'MemoryEstimate',
    'NeuronFiring',
    'NeuronOperations',
    'NeuronStability',
    'OperationCounter',
    'Operations',
    'PotentialTrace',
    'SpikeCapture',
    'Stability',
    'Synaptic',
    'choose_neurons',
    'compute_cam',
    'energy_pj',
    'estimate_energy',
    'estimate_memory',
    'expected_mean',
    'explain_prediction',
    'find_parts',
    'has_attention',
    'named_blocks',
    'named_neurons',
    'read_prediction',
    'without_spikes',
]
