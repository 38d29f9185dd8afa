"""Smaller exported models: weights in fp16 or int8, arithmetic in fp32."""

from typing import Any

import numpy as np

PRECISIONS = ('fp32', 'fp16', 'int8')


def compress(model: Any, precision: str) -> Any:
    """Return an ONNX model that stores its convolutions' weights in fewer bits.

    int8 weights have one scale per output channel, as in
    :func:`mmsnn.deploy.quantize_int8`. Weights are converted to fp32 when the model is
    loaded, so spikes and their sums stay exact and the speed is that of fp32.

    Args:
        model: An ``onnx.ModelProto``; it is not changed.
        precision: One of ``PRECISIONS``.

    Raises:
        ValueError: If the precision is unknown.
    """
    if precision not in PRECISIONS:
        raise ValueError(
            f'precision must be one of {", ".join(PRECISIONS)}, but got {precision!r}'
        )
    import onnx
    from onnx import helper, numpy_helper

    smaller = onnx.ModelProto()
    smaller.CopyFrom(model)
    if precision == 'fp32':
        return smaller
    graph = smaller.graph
    # operator and axis of the output channels
    kinds = {'Conv': 0, 'ConvTranspose': 1, 'Gemm': 0, 'MatMul': 1}
    used = {
        node.input[1]: kinds[node.op_type]
        for node in graph.node
        if node.op_type in kinds
    }
    nodes, kept = [], []
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if tensor.name not in used or values.dtype != np.float32 or values.ndim < 2:
            kept.append(tensor)
            continue
        stored = f'{tensor.name}/{precision}'
        if precision == 'fp16':
            kept.append(numpy_helper.from_array(values.astype(np.float16), stored))
            nodes.append(helper.make_node('Cast', [stored], [tensor.name], to=1))
            continue
        axis = used[tensor.name]
        numbers, scales = quantize(values, axis)
        kept.append(numpy_helper.from_array(numbers, stored))
        kept.append(numpy_helper.from_array(scales, f'{stored}/scales'))
        inputs = [stored, f'{stored}/scales']
        nodes.append(
            helper.make_node('DequantizeLinear', inputs, [tensor.name], axis=axis)
        )
    del graph.initializer[:]
    graph.initializer.extend(kept)
    for node in reversed(nodes):
        graph.node.insert(0, node)
    return smaller


def quantize(values: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Return int8 numbers and, for each index along an axis, a scale in fp32."""
    others = tuple(i for i in range(values.ndim) if i != axis)
    scales = np.abs(values).max(others).astype(np.float32) / 127
    scales[scales == 0] = 1
    shape = [-1 if i == axis else 1 for i in range(values.ndim)]
    numbers = np.rint(values / scales.reshape(shape)).astype(np.int8)
    return numbers, scales


__all__ = ['PRECISIONS', 'compress', 'quantize']
