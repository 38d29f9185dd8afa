"""What a spiking network computes and does: operations, energy, firing, gradients.

Collectors are context managers that watch a model and leave it as it was; their
``result()`` is a frozen dataclass with the units in the names.
"""

from .counter import OperationCounter
from .energy import (
    ENERGY_MODELS,
    CountingRules,
    EnergyEstimate,
    EnergyModel,
    LayerEnergy,
    energy_pj,
    estimate_energy,
    without_spikes,
)
from .memory import (
    MEMORY_PJ_PER_BYTE,
    LayerMemory,
    MemoryEstimate,
    estimate_memory,
)
from .network import Collector, find_parts, named_blocks, named_neurons
from .operations import (
    ImageOperations,
    LayerOperations,
    NeuronOperations,
    Operations,
    Synaptic,
)

__all__ = [
    'ENERGY_MODELS',
    'MEMORY_PJ_PER_BYTE',
    'Collector',
    'CountingRules',
    'EnergyEstimate',
    'EnergyModel',
    'ImageOperations',
    'LayerEnergy',
    'LayerMemory',
    'LayerOperations',
    'MemoryEstimate',
    'NeuronOperations',
    'OperationCounter',
    'Operations',
    'Synaptic',
    'energy_pj',
    'estimate_energy',
    'estimate_memory',
    'find_parts',
    'named_blocks',
    'named_neurons',
    'without_spikes',
]
