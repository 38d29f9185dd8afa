"""Translation of PyTorch's and mmsnn's operators to nodes of NIR."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from .nir_signals import Call, NotInNIR, Signal, array, pair

DT = 1e-4
"""Length of a time step in seconds, the default of NIR's importers."""

TRANSLATIONS: dict[str, Callable[..., Any]] = {}
"""Functions by name of an operator's schema; they take a :class:`Call` and the
operator's arguments, and return the result or raise :class:`NotInNIR`."""

REASONS = {
    'aten::cat': 'NIR cannot concatenate',
    'aten::mul': 'NIR cannot multiply two signals',
    'aten::addcmul': 'NIR has no gates',
    'aten::upsample_nearest2d': 'NIR cannot upsample',
    'mmsnn::gate': 'NIR has no gates',
    'mmsnn::integer_multi_step': 'NIR has no neurons with integer spikes',
}
"""Why NIR cannot express common operators."""


def _translates(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        TRANSLATIONS.update((name, function) for name in names)
        return function

    return register


@_translates('mmsnn::multi_step')
def _neurons(
    call: Call,
    x: Signal,
    learned_decay: Tensor | None,
    decay: float | None,
    v_threshold: float,
    v_reset: float | None,
    decay_input: bool,
    *others: Any,
) -> tuple[Signal, None]:
    import nir
    import numpy as np

    if learned_decay is not None:
        raise NotInNIR(
            'its time constant is a parameter: make it a constant with '
            'mmsnn.deploy.freeze_time_constants'
        )
    if v_reset is None:
        raise NotInNIR('NIR has no soft reset')
    if x.averaged:
        raise NotInNIR('it takes a mean over time')
    if not call.is_timed(x) or call.given[0] != call.num_steps:
        raise NotInNIR('it takes time steps in another order')

    def full(value: float) -> Any:
        return np.full(x.shape, value)

    common = dict(v_threshold=full(v_threshold), v_reset=full(v_reset))
    if decay is None:
        node = nir.IF(r=full(1 / DT), **common)
    else:
        node = nir.LIF(
            tau=full(DT / decay),
            r=full(1.0 if decay_input else 1 / decay),
            v_leak=full(v_reset),
            **common,
        )
    return call.neuron(x, node), None


@_translates('aten::conv2d')
def _convolution(
    call: Call,
    x: Signal,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sequence[int] = (1,),
    padding: str | Sequence[int] = (0,),
    dilation: Sequence[int] = (1,),
    groups: int = 1,
) -> Signal:
    import nir

    if isinstance(padding, str):
        raise NotInNIR(f'its padding is {padding!r}, not a number')
    if weight.shape[2] != weight.shape[3]:
        raise NotInNIR('its kernel is not square')
    if bias is None:
        bias = weight.new_zeros(len(weight))
    node = nir.Conv2d(
        input_shape=x.shape[1:],
        weight=array(_dense(weight, groups)),
        stride=pair(stride),
        padding=pair(padding),
        dilation=pair(dilation),
        groups=1,
        bias=array(bias),
    )
    return call.linear(x, node, call.shape[-3:])


def _dense(weight: Tensor, groups: int) -> Tensor:
    """Return the weights of a grouped convolution as those of one group."""
    # the package nir cannot read grouped convolutions: their input type is that of one
    # group
    if groups == 1:
        return weight
    outputs, inputs = len(weight) // groups, weight.shape[1]
    dense = weight.new_zeros(len(weight), groups * inputs, *weight.shape[2:])
    for i in range(groups):
        rows = slice(i * outputs, (i + 1) * outputs)
        dense[rows, i * inputs : (i + 1) * inputs] = weight[rows]
    return dense


@_translates('aten::batch_norm')
def _norm(
    call: Call,
    x: Signal,
    weight: Tensor | None,
    bias: Tensor | None,
    mean: Tensor | None,
    var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool,
) -> Signal:
    if training or mean is None or var is None:
        raise NotInNIR('its statistics are those of the batch')
    scale = (var + eps).rsqrt() * (1 if weight is None else weight)
    shift = (0 if bias is None else bias) - mean * scale
    return _convolution(call, x, scale[:, None, None, None], shift, groups=len(scale))


@_translates('aten::linear')
def _linear(
    call: Call, x: Signal, weight: Tensor, bias: Tensor | None = None
) -> Signal:
    import nir

    if len(x.shape) != 1:
        raise NotInNIR(f'it takes values of shape {list(x.shape)}, not vectors')
    if bias is None:
        return call.linear(x, nir.Linear(array(weight)), call.shape[-1:])
    return call.linear(x, nir.Affine(array(weight), array(bias)), call.shape[-1:])


@_translates('aten::add')
def _sum(call: Call, x: Any, y: Any, alpha: float = 1) -> Signal:
    if not (isinstance(x, Signal) and isinstance(y, Signal)) or alpha != 1:
        raise NotInNIR('NIR adds signals only')
    if (x.shape, x.order, x.averaged) != (y.shape, y.order, y.averaged):
        raise NotInNIR('it adds signals of different shape or number of time steps')
    if set(x.sources) & set(y.sources):
        raise NotInNIR('it adds a signal to itself')
    return replace(x, sources=x.sources + y.sources, binary=False)


def _average(call: Call, x: Signal, kernel: Any, stride: Any, padding: Any) -> Signal:
    """Add an average pool over windows of which no one is cut off."""
    import nir
    import numpy as np

    for size, k, s, p, found in zip(
        x.shape[1:], kernel, stride, padding, call.shape[-2:], strict=True
    ):
        if (size + 2 * p - k) // s + 1 != found:
            raise NotInNIR('its last windows are cut off, since sizes are rounded up')
    windows = (np.array(setting) for setting in (kernel, stride, padding))
    return call.linear(x, nir.AvgPool2d(*windows), (x.shape[0], *call.shape[-2:]))


@_translates('aten::avg_pool2d')
def _average_pool(
    call: Call,
    x: Signal,
    kernel_size: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0,),
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Signal:
    if any(padding) and not count_include_pad or divisor_override is not None:
        raise NotInNIR('it divides by another number than the size of its windows')
    windows = map(pair, (kernel_size, stride or kernel_size, padding))
    return _average(call, x, *windows)


@_translates('aten::adaptive_avg_pool2d')
def _adaptive_pool(call: Call, x: Signal, output_size: Sequence[int]) -> Signal:
    sizes = tuple(zip(x.shape[1:], output_size, strict=True))
    if any(size % found for size, found in sizes):
        raise NotInNIR('its windows have different sizes')
    kernel = tuple(size // found for size, found in sizes)
    return _average(call, x, kernel, kernel, (0, 0))


@_translates('aten::max_pool2d')
def _max_pool(
    call: Call,
    x: Signal,
    kernel_size: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0,),
    dilation: Sequence[int] = (1,),
    ceil_mode: bool = False,
) -> Signal:
    import nir
    import numpy as np

    if not x.binary:
        raise NotInNIR('NIR has no maximum, and its input is not binary spikes')
    if pair(dilation) != (1, 1):
        raise NotInNIR('its windows are dilated')
    kernel = pair(kernel_size)
    windows = kernel, pair(stride or kernel_size), pair(padding)
    mean = _average(replace(call, layer=f'{call.layer}.mean'), x, *windows)
    # fires where a spike is in the window, and is at rest after every time step
    node = nir.IF(
        r=np.full(mean.shape, 1 / DT),
        v_threshold=np.full(mean.shape, 0.5 / math.prod(kernel)),
        v_reset=np.zeros(mean.shape),
    )
    return call.neuron(mean, node)


@_translates('aten::mean')
def _mean(
    call: Call, x: Signal, dim: Sequence[int] | None = None, keepdim: bool = False
) -> Signal:
    lead = len(call.lead(x))
    dims = sorted(d % len(call.given) for d in dim or range(len(call.given)))
    if len(x.shape) == 3 and dims == [lead + 1, lead + 2]:
        call_of_pool = replace(call, shape=(x.shape[0], 1, 1))
        pooled = _average(call_of_pool, x, x.shape[1:], x.shape[1:], (0, 0))
        return pooled if keepdim else _flatten(call, pooled)
    if lead == 2 and dims == [0] and call.is_timed(x) and not keepdim:
        return replace(x, order='N', binary=False, averaged=True)
    raise NotInNIR('NIR has no mean, except over time at the end or over positions')


def _flatten(call: Call, x: Signal) -> Signal:
    """Add the flattening of a sample."""
    import nir

    node = nir.Flatten({'input': x.shape}, start_dim=0, end_dim=-1)
    return call.linear(x, node, [math.prod(x.shape)], '.flatten')


@_translates(
    *('aten::view', 'aten::reshape', 'aten::flatten', 'aten::unflatten'),
    *('aten::squeeze', 'aten::unsqueeze'),
)
def _view(call: Call, x: Signal, *shape: Any) -> Signal:
    """Regroup time steps and samples, or flatten each sample."""
    number = math.prod(call.lead(x))
    for dims in range(len(call.shape) + 1):
        if math.prod(call.shape[:dims]) == number:
            if call.shape[dims:] == x.shape:
                return x
            if call.shape[dims:] == (math.prod(x.shape),):
                return _flatten(call, x)
    raise NotInNIR(f'NIR cannot reshape {list(x.shape)}')


@_translates('aten::expand')
def _expand(call: Call, x: Signal, size: Sequence[int], implicit: bool = False) -> Any:
    if call.shape == call.given:
        return x
    if x.order == 'N' and call.shape == (call.num_steps, *call.given):
        return replace(x, order='TN')
    raise NotInNIR('it repeats a signal otherwise than over time')


@_translates('aten::cat')
def _concatenation(call: Call, tensors: Sequence[Any], dim: int = 0) -> Signal:
    first = tensors[0]
    repeats = len(tensors) == call.num_steps and all(x is first for x in tensors)
    if dim == 0 and repeats and first.order == 'N' and not first.averaged:
        return replace(first, order='TN')
    raise NotInNIR(REASONS['aten::cat'])


@_translates('aten::transpose')
def _transpose(call: Call, x: Signal, dim0: int, dim1: int) -> Signal:
    if len(call.lead(x)) == 2 and {dim0, dim1} == {0, 1} and x.order != 'N':
        return replace(x, order=x.order[::-1])
    raise NotInNIR('NIR cannot transpose')


@_translates('aten::to', 'aten::_to_copy')
def _cast(call: Call, x: Signal, *args: Any, **kwargs: Any) -> Signal:
    for value in (*args, *kwargs.values()):
        if isinstance(value, torch.dtype) and not value.is_floating_point:
            raise NotInNIR(f'it is cast to {value}')
    return x


@_translates('aten::dropout', 'aten::feature_dropout')
def _dropout(call: Call, x: Signal, p: float, train: bool) -> Signal:
    if train:
        raise NotInNIR('it draws random numbers')
    return x


@_translates(
    *('aten::contiguous', 'aten::clone', 'aten::alias', 'aten::detach'),
    'aten::_assert_tensor_metadata',
)
def _same(call: Call, x: Signal, *args: Any, **kwargs: Any) -> Signal:
    return x


__all__ = ['DT', 'REASONS', 'TRANSLATIONS']
