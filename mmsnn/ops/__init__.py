"""Custom PyTorch operators for spiking networks; they require only torch.

Importing this package defines ``torch.ops.mmsnn.*`` for the CPU (compiled C++), the GPU
(Triton) and, with PyTorch operations, any other device.
"""

from .decompositions import decompositions
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
from .stateful_integer_neuron import integer_multi_step_from
from .stateful_neuron import multi_step_from, spike_bytes_from

__all__ = [
    'DifferentiableStep',
    'Dynamics',
    'Packed',
    'SurrogateKind',
    'decompositions',
    'gate',
    'integer_multi_step',
    'integer_multi_step_from',
    'integer_potentials',
    'multi_step',
    'multi_step_from',
    'pack',
    'potentials',
    'spike_bytes',
    'spike_bytes_from',
    'surrogate_kind',
    'surrogate_slope',
    'unpack',
]
