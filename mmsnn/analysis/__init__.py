"""What a spiking network computes and does: operations, energy, firing, gradients.

Collectors are context managers that watch a model and leave it as it was; their
``result()`` is a frozen dataclass with the units in the names.
"""

from mmsnn._compat import require

require('torch', 'mmengine', 'mmcv', 'mmdet')

from .attention import (
    AttentionCapture,
    DecoderAttention,
    GateAttention,
    ImageAttention,
    has_attention,
)
from .block_firing import BlockFiring, expected_mean
from .capture import (
    ImageSpikes,
    LayerSpikes,
    PotentialTrace,
    SpikeCapture,
    choose_neurons,
)
from .coding import Coding, CodingDynamics, EncoderCoding
from .costs import ENERGY_MODELS, CountingRules, EnergyModel, energy_pj
from .counter import OperationCounter
from .energy import EnergyEstimate, LayerEnergy, estimate_energy, without_spikes
from .firing import Firing, FiringRates, NeuronFiring
from .gradients import BlockGradient, GradientFlow, Gradients, LayerGradient
from .memory import (
    MEMORY_PJ_PER_BYTE,
    LayerMemory,
    MemoryEstimate,
    estimate_memory,
)
from .network import Collector, find_parts, named_blocks, named_neurons
from .one_image import InputImage
from .operations import (
    ImageOperations,
    LayerOperations,
    NeuronOperations,
    Operations,
    Synaptic,
)
from .stability import GradientStability, NeuronStability, Stability

__all__ = [
    'AttentionCapture',
    'BlockFiring',
    'BlockGradient',
    'Coding',
    'CodingDynamics',
    'Collector',
    'CountingRules',
    'DecoderAttention',
    'ENERGY_MODELS',
    'EncoderCoding',
    'EnergyEstimate',
    'EnergyModel',
    'Firing',
    'FiringRates',
    'GateAttention',
    'GradientFlow',
    'GradientStability',
    'Gradients',
    'ImageAttention',
    'ImageOperations',
    'ImageSpikes',
    'InputImage',
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
    'energy_pj',
    'estimate_energy',
    'estimate_memory',
    'expected_mean',
    'find_parts',
    'has_attention',
    'named_blocks',
    'named_neurons',
    'without_spikes',
]
