"""Operations that a network executes, and their energy."""

from .energy_estimate import (
    EnergyEstimate,
    LayerEnergy,
    estimate_energy,
    without_spikes,
)
from .energy_models import ENERGY_MODELS, CountingRules, EnergyModel, energy_pj
from .memory_traffic import (
    MEMORY_PJ_PER_BYTE,
    LayerMemory,
    MemoryEstimate,
    estimate_memory,
)
from .operation_counter import OperationCounter
from .operations import (
    ImageOperations,
    LayerOperations,
    NeuronOperations,
    Operations,
    Synaptic,
)

__all__ = [
    'CountingRules',
    'ENERGY_MODELS',
    'EnergyEstimate',
    'EnergyModel',
    'ImageOperations',
    'LayerEnergy',
    'LayerMemory',
    'LayerOperations',
    'MEMORY_PJ_PER_BYTE',
    'MemoryEstimate',
    'NeuronOperations',
    'OperationCounter',
    'Operations',
    'Synaptic',
    'energy_pj',
    'estimate_energy',
    'estimate_memory',
    'without_spikes',
]
