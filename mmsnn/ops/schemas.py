"""The operators' schemas.

A neuron is IF without a decay, LIF with a float ``decay`` and PLIF with
``learned_decay``, a 0-dim tensor in the dtype of the state. Sequences are ``[T, ...]``.
Spikes and potentials are laid out ``[T, <each step as x_seq[0]>]``; potentials are fp32
(fp64 for input in fp64), and of shape ``[0]`` unless they are kept. The gradient of a
decay has the shape ``[]`` for a learned decay and ``[0]`` otherwise. Numbers are packed
in the order in which a dense tensor stores them.
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
    'integer_multi_step': '(Tensor x_seq, float decay, int max_value, bool normalize, '
    'bool detach_reset, bool keep) -> (Tensor values, Tensor potentials)',
    'integer_multi_step_backward': '(Tensor grad_values, Tensor potentials, '
    'float decay, int max_value, bool normalize, bool detach_reset) -> Tensor grad_x',
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
