"""The multi-step recurrence of IF, LIF and PLIF neurons, with a lean backward pass."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mmsnn import kernels

from . import gpu
from .surrogate import Surrogate, heaviside


@dataclass(frozen=True)
class Dynamics:
    """What a neuron does with its charge, apart from its leak.

    Args:
        v_threshold: Potential at which the neuron fires (``h >= v_threshold`` fires).
        v_reset: Potential after a spike; None subtracts the threshold (soft reset).
        detach_reset: Whether the gradient ignores the spike inside the reset.
        surrogate: Derivative of the firing step.
        decay_input: Whether a leak weakens the input too, as it does the potential.
    """

    v_threshold: float
    v_reset: float | None
    detach_reset: bool
    surrogate: Surrogate
    decay_input: bool = True

    @property
    def rest(self) -> float:
        """Potential before the first step, and that a leak decays to."""
        return 0.0 if self.v_reset is None else self.v_reset


def _state_like(x_seq: Tensor, dtype: torch.dtype) -> Tensor:
    """Allocate a sequence of the shape of ``x_seq``, each step laid out like its own.

    The input may be an expanded view (one image for all steps), whose strides must not
    be copied; what must survive is a step's memory format, such as channels-last.
    """
    step = x_seq[0]
    strides = torch.empty_like(step, device='meta').stride()
    return torch.empty_strided(
        x_seq.shape, (step.numel(), *strides), dtype=dtype, device=x_seq.device
    )


def _charge(
    v: Tensor | None,
    x: Tensor,
    decay: Tensor | float | None,
    dynamics: Dynamics,
    out: Tensor,
) -> Tensor:
    """Write the potential before the spike to ``out``, see :func:`multi_step`.

    ``v`` None is the state before the first step, ``rest``. With ``decay``, ``out``
    must not be ``v``.
    """
    rest = dynamics.rest
    if decay is None or not dynamics.decay_input:
        if v is None:
            out.copy_(x)
            return out.add_(rest) if rest else out
        if decay is None:
            return torch.add(v, x, out=out)
        torch.mul(v, 1 - decay, out=out)
        return (out.add_(decay * rest) if rest else out).add_(x)
    if v is None:
        # not mul(x, decay, out=out), which rounds to the dtype of x before it stores
        out.copy_(x).mul_(decay)
        return out.add_(rest) if rest else out
    torch.sub(x, v, out=out)
    if rest:
        out.add_(rest)
    out.mul_(decay)
    return out.add_(v)


def _reset(h: Tensor, fired: Tensor, dynamics: Dynamics, out: Tensor | None) -> Tensor:
    """Return the potential after the step: ``h``, reset where the neuron ``fired``.

    ``fired`` holds zeros and ones in the dtype of ``h``. ``out`` may be ``h`` itself.
    """
    if dynamics.v_reset is None:
        return torch.add(h, fired, alpha=-dynamics.v_threshold, out=out)
    v = torch.addcmul(h, h, fired, value=-1, out=out)
    return v.add_(fired, alpha=dynamics.v_reset) if dynamics.v_reset else v


def _run(
    x_seq: Tensor, decay: Tensor | float | None, dynamics: Dynamics, keep: bool
) -> tuple[Tensor, Tensor]:
    """Return spikes and, of all steps if ``keep`` or else of one, potentials ``h``."""
    dtype = torch.promote_types(x_seq.dtype, torch.float32)
    spikes = _state_like(x_seq, x_seq.dtype)
    h_seq = _state_like(x_seq if keep else x_seq[:1], dtype)
    if kernels.multi_step(x_seq, decay, dynamics, spikes, h_seq if keep else None):
        return spikes, h_seq
    # a comparison writes straight into the spikes; the reset wants h's dtype
    fired = spikes if dtype == x_seq.dtype else _state_like(x_seq[:1], dtype)
    # only IF without a backward pass can overwrite its potential in place
    in_place = decay is None and not keep
    scratch = h_seq[0] if in_place else torch.empty_like(h_seq[0])
    v = None
    for t in range(len(x_seq)):
        h = _charge(v, x_seq[t], decay, dynamics, h_seq[t if keep else 0])
        now = fired[t if fired is spikes else 0]
        torch.ge(h, dynamics.v_threshold, out=now)
        if fired is not spikes:
            spikes[t].copy_(now)
        if t + 1 < len(x_seq):
            v = _reset(h, now, dynamics, out=scratch)
    return spikes, h_seq


class _MultiStep(torch.autograd.Function):
    """Keeps the potentials before the reset, ``h``, and nothing else.

    Spikes and reset potentials are functions of ``h``; recomputing them costs a
    comparison, keeping them would double the memory.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x_seq: Tensor,
        decay: Tensor | float | None,
        dynamics: Dynamics,
        keep: bool,
    ) -> Tensor:
        spikes, h_seq = _run(x_seq, decay, dynamics, keep)
        if keep:
            ctx.dynamics = dynamics
            ctx.decay = None if isinstance(decay, Tensor) else decay
            ctx.save_for_backward(h_seq, decay if isinstance(decay, Tensor) else None)
        return spikes

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, grad_spikes: Tensor
    ) -> tuple[Tensor, Tensor | None, None, None]:
        h_seq, learned = ctx.saved_tensors
        decay = ctx.decay if learned is None else learned
        dynamics: Dynamics = ctx.dynamics
        grad_x = _state_like(h_seq, grad_spikes.dtype)
        learns = ctx.needs_input_grad[1]
        by_decay = kernels.multi_step_backward(
            grad_spikes, h_seq, decay, dynamics, grad_x, learns
        )
        if by_decay is not None:
            grad_decay = torch.full_like(learned, by_decay) if learns else None
            return grad_x, grad_decay, None, None
        grad_decay = torch.zeros_like(learned) if learns else None
        grad_v = None
        for t in reversed(range(len(h_seq))):
            grad_h = _grad_potential(grad_spikes[t], h_seq[t], grad_v, dynamics)
            if grad_decay is not None:
                grad_decay += _grad_decay(grad_h, h_seq, t, decay, dynamics)
            if decay is None or not dynamics.decay_input:
                grad_x[t].copy_(grad_h)
            else:
                torch.mul(grad_h, decay, out=grad_x[t])
            grad_v = grad_h if decay is None else grad_h.mul_(1 - decay)
        return grad_x, grad_decay, None, None


def _grad_potential(
    grad_spike: Tensor, h: Tensor, grad_v: Tensor | None, dynamics: Dynamics
) -> Tensor:
    """Gradient by one step's ``h``, through its spike and through its reset.

    ``grad_v``, the gradient by the potential after the reset, is None at the last step;
    it is used as scratch memory.
    """
    distance = h - dynamics.v_threshold
    if grad_v is None:
        return dynamics.surrogate.scale_(grad_spike.to(h.dtype), distance)
    fired = torch.ge(distance, 0, out=torch.empty_like(distance))
    grad_spike = grad_spike.to(h.dtype)
    if not dynamics.detach_reset:
        if dynamics.v_reset is None:  # v = h - v_threshold * s
            grad_spike = torch.add(grad_spike, grad_v, alpha=-dynamics.v_threshold)
        else:  # v = h * (1 - s) + v_reset * s
            grad_spike = torch.addcmul(grad_spike, grad_v, h, value=-1)
            if dynamics.v_reset:
                grad_spike.add_(grad_v, alpha=dynamics.v_reset)
    grad_h = dynamics.surrogate.scale_(grad_spike, distance)
    grad_h.add_(grad_v)
    if dynamics.v_reset is not None:
        grad_h.addcmul_(grad_v, fired, value=-1)
    return grad_h


def _grad_decay(
    grad_h: Tensor, h_seq: Tensor, t: int, decay: Tensor, dynamics: Dynamics
) -> Tensor:
    """Gradient of step ``t`` by the decay, see :func:`multi_step`."""
    v: Tensor | float = dynamics.rest
    if t > 0:
        previous = h_seq[t - 1]
        fired = (previous >= dynamics.v_threshold).to(previous.dtype)
        v = _reset(previous, fired, dynamics, out=None)
    if dynamics.decay_input:  # h - v = decay * (x - (v - rest))
        return (grad_h * (h_seq[t] - v)).sum() / decay
    return (grad_h * (dynamics.rest - v)).sum()  # h - v = x - decay * (v - rest)


def _charged(
    v: Tensor | None, x: Tensor, decay: Tensor | float | None, dynamics: Dynamics
) -> Tensor:
    """Return what :func:`_charge` writes, of an ``x`` in the state's dtype."""
    rest = dynamics.rest
    if v is None:
        h = x if decay is None or not dynamics.decay_input else x * decay
        return h + rest if rest else h
    if decay is None:
        return v + x
    if dynamics.decay_input:
        drive = x - v
        return (drive + rest if rest else drive) * decay + v
    h = v * (1 - decay)
    return (h + decay * rest if rest else h) + x


def _traced(x_seq: Tensor, decay: Tensor | float | None, dynamics: Dynamics) -> Tensor:
    """Return the spikes by differentiable operations that a compiler can fuse.

    It decides itself what to keep for the backward pass, and writes to no views.
    """
    dtype = torch.promote_types(x_seq.dtype, torch.float32)
    v = None
    spikes = []
    # of steps in four dimensions cat keeps channels-last, which stack does of none
    steps = x_seq.flatten(1, -4) if x_seq.dim() > 5 else x_seq
    for x in steps.unbind(0):
        h = _charged(v, x.to(dtype), decay, dynamics)
        fired = heaviside(h - dynamics.v_threshold, dynamics.surrogate)
        spikes.append(fired.to(x_seq.dtype))
        resets = fired.detach() if dynamics.detach_reset else fired
        v = _reset(h, resets, dynamics, out=None)
    joined = torch.cat(spikes) if x_seq.dim() > 1 else torch.stack(spikes)
    return joined.view(x_seq.shape)


def multi_step(
    x_seq: Tensor, decay: Tensor | float | None, dynamics: Dynamics
) -> Tensor:
    r"""Drive a population of neurons through a sequence, from rest.

    .. math::
        h_t &= v_{t-1} + x_t \quad\text{(IF)}, \qquad
        h_t = v_{t-1} + k\,(x_t - (v_{t-1} - v_{reset})) \quad\text{(LIF)} \\
        s_t &= [h_t \ge v_{th}], \qquad
        v_t = h_t (1 - s_t) + v_{reset} s_t \quad\text{or}\quad h_t - v_{th} s_t

    (Zhang et al. 2023, Eqs. 5, 6, 8, 9; :math:`k = 1 / \tau`.) Without
    ``decay_input``, LIF is :math:`h_t = v_{t-1} + x_t - k\,(v_{t-1} - v_{reset})`
    (Wu et al. 2018, as in MS-ResNet). The state is kept in
    fp32 at least, whatever the input's dtype: a bf16 potential flips spikes.

    Args:
        x_seq: Input currents, ``[T, ...]``, any floating dtype, any strides.
        decay: ``1 / tau``, in (0, 1]; None for IF. A 0-dim tensor is learnable.
        dynamics: Threshold, reset and surrogate.

    Returns:
        Spikes, zeros and ones, of the shape and dtype of ``x_seq``; each step keeps the
        input's memory format.
    """
    if torch.compiler.is_compiling():
        return _traced(x_seq, decay, dynamics)
    if x_seq.is_cuda:
        fused = gpu.multi_step(x_seq, decay, dynamics)
        if fused is not None:
            return fused
    learns = x_seq.requires_grad or (isinstance(decay, Tensor) and decay.requires_grad)
    keep = torch.is_grad_enabled() and learns
    return _MultiStep.apply(x_seq, decay, dynamics, keep)


@torch.no_grad()
def spike_bytes(
    x_seq: Tensor, decay: Tensor | float | None, dynamics: Dynamics
) -> Tensor:
    """Return the spikes of :func:`multi_step` in bytes (uint8), without a graph.

    A quarter of the memory to write, and to read for what takes bytes: see
    :func:`mmsnn.deploy.quantize_int8`.
    """
    if torch.compiler.is_compiling():
        return _traced(x_seq, decay, dynamics).to(torch.uint8)
    spikes = _state_like(x_seq, torch.uint8)
    if kernels.multi_step(x_seq, decay, dynamics, spikes, None):
        return spikes
    return _run(x_seq, decay, dynamics, keep=False)[0].to(torch.uint8)


@torch.no_grad()
def potentials(
    x_seq: Tensor, decay: Tensor | float | None, dynamics: Dynamics
) -> Tensor:
    """Return the potentials before the reset, ``h`` of :func:`multi_step`.

    Returns:
        ``[T, ...]``, in fp32 at least, without a graph; ``h >= v_threshold`` is where
        :func:`multi_step` has spikes.
    """
    return _run(x_seq, decay, dynamics, keep=True)[1]
