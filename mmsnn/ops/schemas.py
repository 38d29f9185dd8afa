"""The operators' schemas.

A neuron without decay is IF, with a float ``decay`` LIF, and with ``learned_decay``, a
0-dim tensor in the dtype of the state, PLIF. Sequences are ``[T, ...]``. Each time step
of spikes and potentials has the memory format of ``x_seq[0]``. Potentials are fp32
(fp64 for fp64 input), and of shape ``[0]`` unless they are kept. The gradient of the
decay has shape ``[]`` for a learned decay and ``[0]`` otherwise. An initial state, a
final state and their gradients have the shape of a step and the dtype of potentials;
without an initial state, neurons start from rest. Numbers are packed in the storage
order of a dense tensor.
"""

_NEURON = (
    'Tensor? learned_decay, float? decay, float v_threshold, float? v_reset, '
    'bool decay_input, bool detach_reset, int surrogate, float alpha'
)

SCHEMAS = {
    'multi_step': f'(Tensor x_seq, {_NEURON}, bool keep, bool as_bytes) '
    '-> (Tensor spikes, Tensor potentials)',
    'multi_step_backward': f'(Tensor grad_spikes, Tensor potentials, {_NEURON}, '
    'Tensor? slope) -> (Tensor grad_x, Tensor grad_decay)',
    'multi_step_from': f'(Tensor x_seq, Tensor? initial, {_NEURON}, bool keep, '
    'bool as_bytes) -> (Tensor spikes, Tensor potentials, Tensor final)',
    'multi_step_from_backward': '(Tensor grad_spikes, Tensor grad_final, '
    f'Tensor potentials, Tensor? initial, {_NEURON}, Tensor? slope) '
    '-> (Tensor grad_x, Tensor grad_decay, Tensor grad_initial)',
    'integer_multi_step': '(Tensor x_seq, float decay, int max_value, bool normalize, '
    'bool detach_reset, bool keep) -> (Tensor values, Tensor potentials)',
    'integer_multi_step_backward': '(Tensor grad_values, Tensor potentials, '
    'float decay, int max_value, bool normalize, bool detach_reset) -> Tensor grad_x',
    'integer_multi_step_from': '(Tensor x_seq, Tensor? initial, float decay, '
    'int max_value, bool normalize, bool detach_reset, bool keep) '
    '-> (Tensor values, Tensor potentials, Tensor final)',
    'integer_multi_step_from_backward': '(Tensor grad_values, Tensor grad_final, '
    'Tensor potentials, float decay, int max_value, bool normalize, '
    'bool detach_reset) -> (Tensor grad_x, Tensor grad_initial)',
    'gate': '(Tensor residual, Tensor shortcut) -> Tensor',
    'gate_backward': '(Tensor grad, Tensor residual, Tensor shortcut) '
    '-> (Tensor grad_residual, Tensor grad_shortcut)',
    'pack_bits': '(Tensor x) -> (Tensor bits, Tensor exact)',
    'pack_bytes': '(Tensor x) -> (Tensor numbers, Tensor exact)',
    'unpack_bits': '(Tensor bits, SymInt[] shape, SymInt[] strides, ScalarType dtype) '
    '-> Tensor',
    'unpack_bytes': '(Tensor numbers, SymInt[] shape, SymInt[] strides, '
    'ScalarType dtype) -> Tensor',
}
