"""Translation of neurons, layers with weights, sums and pools to nodes of NIR."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

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


def translates(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that adds a function to :data:`TRANSLATIONS`."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        TRANSLATIONS.update((name, function) for name in names)
        return function

    return register


@translates('mmsnn::multi_step')
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


@translates('aten::conv2d')
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


@translates('aten::batch_norm')
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


@translates('aten::linear')
def _linear(
    call: Call, x: Signal, weight: Tensor, bias: Tensor | None = None
) -> Signal:
    import nir

    if len(x.shape) != 1:
        raise NotInNIR(f'it takes values of shape {list(x.shape)}, not vectors')
    if bias is None:
        return call.linear(x, nir.Linear(array(weight)), call.shape[-1:])
    return call.linear(x, nir.Affine(array(weight), array(bias)), call.shape[-1:])


@translates('aten::add')
def _sum(call: Call, x: Any, y: Any, alpha: float = 1) -> Signal:
    if not (isinstance(x, Signal) and isinstance(y, Signal)) or alpha != 1:
        raise NotInNIR('NIR adds signals only')
    if (x.shape, x.order, x.averaged) != (y.shape, y.order, y.averaged):
        raise NotInNIR('it adds signals of different shape or number of time steps')
    if set(x.sources) & set(y.sources):
        raise NotInNIR('it adds a signal to itself')
    return replace(x, sources=x.sources + y.sources, binary=False)


def average(call: Call, x: Signal, kernel: Any, stride: Any, padding: Any) -> Signal:
    """Add an average pool, none of whose windows is cut off."""
    import nir
    import numpy as np

    for size, k, s, p, found in zip(
        x.shape[1:], kernel, stride, padding, call.shape[-2:], strict=True
    ):
        if (size + 2 * p - k) // s + 1 != found:
            raise NotInNIR('its last windows are cut off, since sizes are rounded up')
    windows = (np.array(setting) for setting in (kernel, stride, padding))
    return call.linear(x, nir.AvgPool2d(*windows), (x.shape[0], *call.shape[-2:]))


@translates('aten::avg_pool2d')
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
        raise NotInNIR('it divides by a number other than the size of its windows')
    windows = map(pair, (kernel_size, stride or kernel_size, padding))
    return average(call, x, *windows)


@translates('aten::adaptive_avg_pool2d')
def _adaptive_pool(call: Call, x: Signal, output_size: Sequence[int]) -> Signal:
    sizes = tuple(zip(x.shape[1:], output_size, strict=True))
    if any(size % found for size, found in sizes):
        raise NotInNIR('its windows have different sizes')
    kernel = tuple(size // found for size, found in sizes)
    return average(call, x, kernel, kernel, (0, 0))


@translates('aten::max_pool2d')
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
    mean = average(replace(call, layer=f'{call.layer}.mean'), x, *windows)
    # fires where a spike is in the window, and is at rest after every time step
    node = nir.IF(
        r=np.full(mean.shape, 1 / DT),
        v_threshold=np.full(mean.shape, 0.5 / math.prod(kernel)),
        v_reset=np.zeros(mean.shape),
    )
    return call.neuron(mean, node)


__all__ = ['DT', 'REASONS', 'TRANSLATIONS', 'average', 'translates']
