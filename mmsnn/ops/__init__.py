"""Custom PyTorch operators for spiking networks; they require only torch.

Importing this package defines ``torch.ops.mmsnn.*`` for the CPU (compiled C++), the GPU
(Triton) and, with PyTorch operations, any other device.
"""

from .dynamics import (
    DifferentiableStep,
    Dynamics,
    SurrogateKind,
    surrogate_kind,
    surrogate_slope,
)
from .gate import gate
from .integer_neuron import integer_multi_step, integer_potentials
from .neuron import multi_step, potentials, spike_bytes
from .spike_packing import Packed, pack, unpack

__all__ = [
    'DifferentiableStep',
    'Dynamics',
    'Packed',
    'SurrogateKind',
    'gate',
    'integer_multi_step',
    'integer_potentials',
    'multi_step',
    'pack',
    'potentials',
    'spike_bytes',
    'surrogate_kind',
    'surrogate_slope',
    'unpack',
]
