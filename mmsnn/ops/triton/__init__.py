"""The operators of :mod:`mmsnn.ops` as Triton kernels, for GPUs.

Each function has the name, arguments and results of its operator. Kernels are compiled
on first use and run on the device of their tensors. Errors of the compiler and of the
device are raised.
"""

from .gate import gate, gate_backward
from .integer_neuron import (
    integer_multi_step,
    integer_multi_step_backward,
    integer_multi_step_from,
    integer_multi_step_from_backward,
)
from .neuron import (
    multi_step,
    multi_step_backward,
    multi_step_from,
    multi_step_from_backward,
)
from .spike_packing import pack_bits, pack_bytes, unpack_bits, unpack_bytes

__all__ = [
    'gate',
    'gate_backward',
    'integer_multi_step',
    'integer_multi_step_backward',
    'integer_multi_step_from',
    'integer_multi_step_from_backward',
    'multi_step',
    'multi_step_backward',
    'multi_step_from',
    'multi_step_from_backward',
    'pack_bits',
    'pack_bytes',
    'unpack_bits',
    'unpack_bytes',
]
