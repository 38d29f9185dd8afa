"""Triton kernels of multi-step IF, LIF and PLIF neurons.

Each program keeps the potentials of ``BLOCK`` neurons in registers and loops over the
time steps, so that every number is read and written once. The number of steps is an
ordinary argument, so one compiled kernel is used for every T. The equations and the
order of operations are those of ``csrc/spikes.cpp``; compiled without contraction to
fused multiply-adds, the spikes are bit-identical.

Pointers are None for tensors that are not used. Scalars are passed in fp64 and rounded
once to the dtype of the state.
"""

import triton
import triton.language as tl

from ..dynamics import SurrogateKind

_ATAN = tl.constexpr(int(SurrogateKind.ATAN))
_SIGMOID = tl.constexpr(int(SurrogateKind.SIGMOID))
_PI_SQUARED = tl.constexpr(9.869604401089358)


@triton.jit
def _decay_terms(
    learned_decay: tl.tensor,
    decay: tl.float64,
    complement: tl.float64,
    rest_drive: tl.float64,
    rest: tl.tensor,
) -> tl.tensor:
    """Return the decay ``k``, ``1 - k`` and ``k * rest`` in the dtype of ``rest``."""
    if learned_decay is not None:
        k = tl.load(learned_decay).to(rest.dtype)
        return k, 1.0 - k, k * rest
    return (
        tl.cast(decay, rest.dtype),
        tl.cast(complement, rest.dtype),
        tl.cast(rest_drive, rest.dtype),
    )


@triton.jit
def _charge(
    v: tl.tensor,
    current: tl.tensor,
    k: tl.tensor,
    keep: tl.tensor,
    drive: tl.tensor,
    rest: tl.tensor,
    LEAKS: tl.constexpr,
    DECAY_INPUT: tl.constexpr,
) -> tl.tensor:
    """Return the potential before the spike."""
    if not LEAKS:
        return v + current
    if DECAY_INPUT:
        return (current - v + rest) * k + v
    return v * keep + drive + current


@triton.jit
def _reset(
    h: tl.tensor, v_threshold: tl.tensor, rest: tl.tensor, SOFT: tl.constexpr
) -> tl.tensor:
    """Return the potential after a step."""
    if SOFT:
        return tl.where(h >= v_threshold, h - v_threshold, h)
    return tl.where(h >= v_threshold, rest, h)


@triton.jit
def _scaled(
    grad: tl.tensor,
    x: tl.tensor,
    alpha: tl.tensor,
    slope: tl.tensor,
    mask: tl.tensor,
    SURROGATE: tl.constexpr,
) -> tl.tensor:
    """Return ``grad`` times the surrogate's derivative at ``x``."""
    if slope is not None:
        return grad * tl.load(slope, mask=mask, other=0.0).to(x.dtype)
    if SURROGATE == _ATAN:
        a = alpha * 0.5
        return grad / (1.0 / a + _PI_SQUARED * a * x * x)
    if SURROGATE == _SIGMOID:
        s = 1.0 / (1.0 + tl.exp(-alpha * x))
        return grad * (alpha * s * (1.0 - s))
    return grad * tl.where(tl.abs(x) < 0.5 / alpha, alpha, 0.0)


@triton.jit(do_not_specialize=['steps'])
def forward_kernel(
    x: tl.tensor,
    spikes: tl.tensor,
    potentials: tl.tensor,
    finite: tl.tensor,
    initial: tl.tensor,
    final: tl.tensor,
    learned_decay: tl.tensor,
    steps: tl.int32,
    size: tl.int64,
    x_step: tl.int64,
    v_threshold: tl.float64,
    v_reset: tl.float64,
    decay: tl.float64,
    complement: tl.float64,
    rest_drive: tl.float64,
    LEAKS: tl.constexpr,
    DECAY_INPUT: tl.constexpr,
    SOFT: tl.constexpr,
    STATE: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    """Write spikes, potentials and the final state.

    ``finite`` is cleared if a potential is not finite.
    """
    threshold = tl.cast(v_threshold, STATE)
    rest = tl.cast(v_reset, STATE)
    if LEAKS:
        k, keep, drive = _decay_terms(
            learned_decay, decay, complement, rest_drive, rest
        )
    else:
        k, keep, drive = rest, rest, rest
    start = tl.program_id(0).to(tl.int64) * BLOCK
    lane = tl.arange(0, BLOCK)
    mask = lane < size - start
    x += start
    spikes += start
    if potentials is not None:
        potentials += start
    wrong = tl.zeros([BLOCK], tl.int1)
    h = tl.load(x + lane, mask=mask, other=0.0).to(STATE)
    if initial is not None:
        v = tl.load(initial + start + lane, mask=mask, other=0.0)
        h = _charge(v, h, k, keep, drive, rest, LEAKS, DECAY_INPUT)
    else:
        if LEAKS and DECAY_INPUT:
            h = h * k
        h += rest
    for t in range(steps):
        # loaded one step ahead, so that it does not wait for this step's spikes
        x += x_step
        current = tl.load(x + lane, mask=mask & (t + 1 < steps), other=0.0).to(STATE)
        if potentials is not None:
            tl.store(potentials + lane, h, mask=mask)
            potentials += size
        # NaN if h is not finite
        zero = h * 0.0
        if finite is not None:
            wrong |= zero != 0.0
            tl.store(spikes + lane, h >= threshold, mask=mask)
        else:
            spike = tl.where(h >= threshold, 1.0, 0.0).to(STATE) + zero
            tl.store(spikes + lane, spike, mask=mask)
        spikes += size
        v = _reset(h, threshold, rest, SOFT)
        if final is not None:
            tl.store(final + start + lane, v, mask=mask & (t + 1 == steps))
        h = _charge(v, current, k, keep, drive, rest, LEAKS, DECAY_INPUT)
    if finite is not None:
        tl.store(finite, False, mask=tl.max(wrong.to(tl.int32), axis=0) > 0)


@triton.jit(do_not_specialize=['steps'])
def backward_kernel(
    grad: tl.tensor,
    grad_final: tl.tensor,
    potentials: tl.tensor,
    initial: tl.tensor,
    slope: tl.tensor,
    grad_x: tl.tensor,
    grad_initial: tl.tensor,
    partial_sums: tl.tensor,
    learned_decay: tl.tensor,
    steps: tl.int32,
    size: tl.int64,
    grad_step: tl.int64,
    slope_step: tl.int64,
    v_threshold: tl.float64,
    v_reset: tl.float64,
    decay: tl.float64,
    complement: tl.float64,
    alpha: tl.float64,
    LEAKS: tl.constexpr,
    DECAY_INPUT: tl.constexpr,
    SOFT: tl.constexpr,
    DETACHED: tl.constexpr,
    SURROGATE: tl.constexpr,
    STATE: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    """Write the gradients of currents and initial state, and sums of the decay's."""
    threshold = tl.cast(v_threshold, STATE)
    rest = tl.cast(v_reset, STATE)
    sharpness = tl.cast(alpha, STATE)
    if LEAKS:
        k, keep, _ = _decay_terms(learned_decay, decay, complement, 0.0, rest)
    start = tl.program_id(0).to(tl.int64) * BLOCK
    lane = tl.arange(0, BLOCK)
    mask = lane < size - start
    grad += start + (steps - 1) * grad_step
    potentials += start + (steps - 1) * size
    grad_x += start + (steps - 1) * size
    if slope is not None:
        slope += start + (steps - 1) * slope_step
    decayed = tl.zeros([BLOCK], STATE)
    grad_v = tl.zeros([BLOCK], STATE)
    if grad_final is not None:
        grad_v = tl.load(grad_final + start + lane, mask=mask, other=0.0)
    first = tl.zeros([BLOCK], STATE) + rest
    if initial is not None:
        first = tl.load(initial + start + lane, mask=mask, other=0.0)
    h = tl.load(potentials + lane, mask=mask, other=0.0)
    for t in range(steps):
        potentials -= size
        before = tl.load(potentials + lane, mask=mask & (t + 1 < steps), other=0.0)
        g = tl.load(grad + lane, mask=mask, other=0.0).to(STATE)
        grad -= grad_step
        x = h - threshold
        if not DETACHED:
            g -= grad_v * (threshold if SOFT else h - rest)
        at = None if slope is None else slope + lane
        grad_h = _scaled(g, x, sharpness, at, mask, SURROGATE)
        if slope is not None:
            slope -= slope_step
        grad_h += grad_v if SOFT else tl.where(x < 0.0, grad_v, 0.0)
        if partial_sums is not None:
            v = tl.where(t + 1 < steps, _reset(before, threshold, rest, SOFT), first)
            decayed += grad_h * (h - v if DECAY_INPUT else rest - v)
        if LEAKS and DECAY_INPUT:
            tl.store(grad_x + lane, grad_h * k, mask=mask)
        else:
            tl.store(grad_x + lane, grad_h, mask=mask)
        grad_x -= size
        grad_v = grad_h * keep if LEAKS else grad_h
        h = before
    if grad_initial is not None:
        tl.store(grad_initial + start + lane, grad_v, mask=mask)
    if partial_sums is not None:
        total = tl.sum(tl.where(mask, decayed, 0.0), axis=0)
        tl.store(partial_sums + tl.program_id(0), total)


__all__ = ['backward_kernel', 'forward_kernel']
