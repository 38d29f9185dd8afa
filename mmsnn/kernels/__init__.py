"""Neurons and gates in one pass over memory, on a CPU.

What they compute is what the modules that call them compute without: the same spikes,
and gradients up to rounding. Each function returns None where it does not apply, and
the caller goes on in PyTorch's operations.
"""

import ctypes
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from .build import library

if TYPE_CHECKING:
    from mmsnn.models.neurons.functional import Dynamics

_SUFFIXES = {torch.float32: 'f32', torch.bfloat16: 'bf16'}
_SURROGATES = {'ATan': 0, 'Sigmoid': 1, 'Rectangular': 2}


class _Dynamics(ctypes.Structure):
    """``struct Dynamics`` of spikes.cpp."""

    _fields_ = (
        *(
            (name, ctypes.c_float)
            for name in (
                'v_threshold',
                'v_reset',
                'rest',
                'decay',
                'keep',
                'rest_drive',
                'alpha',
            )
        ),
        *((name, ctypes.c_int32) for name in ('leak', 'soft', 'detached', 'surrogate')),
    )


def _pack(decay: Tensor | float | None, dynamics: 'Dynamics') -> _Dynamics:
    leak = 0 if decay is None else 1 if dynamics.decay_input else 2
    k = 0.0 if decay is None else float(decay)
    # as eager operations compute it: of a learned decay in its precision
    keep = float(1 - decay) if decay is not None else 1.0
    return _Dynamics(
        v_threshold=dynamics.v_threshold,
        v_reset=dynamics.v_reset or 0.0,
        rest=dynamics.rest,
        decay=k,
        keep=keep,
        rest_drive=k * dynamics.rest,
        alpha=dynamics.surrogate.alpha,
        leak=leak,
        soft=dynamics.v_reset is None,
        detached=dynamics.detach_reset,
        surrogate=_SURROGATES[type(dynamics.surrogate).__name__],
    )


def _is_dense(step: Tensor) -> bool:
    """Return whether a tensor fills its memory, in whatever order of dimensions."""
    expected = 1
    for stride, size in sorted(zip(step.stride(), step.shape, strict=True)):
        if size != 1:
            if stride != expected:
                return False
            expected *= size
    return True


def _usable(*tensors: Tensor) -> Any:
    """Return the library if it can work on the tensors, all of one dtype."""
    first = tensors[0]
    if first.dtype not in _SUFFIXES or first.numel() == 0:
        return None
    if any(t.device.type != 'cpu' or t.dtype != first.dtype for t in tensors):
        return None
    if torch.compiler.is_compiling():
        return None
    return library()


def _call(lib: Any, name: str, dtype: torch.dtype) -> Any:
    function = getattr(lib, f'{name}_{_SUFFIXES[dtype]}')
    function.restype = ctypes.c_double if name == 'multi_step_back' else None
    return function


def _at(tensor: Tensor | None) -> ctypes.c_void_p:
    return ctypes.c_void_p(None if tensor is None else tensor.data_ptr())


def multi_step(
    x_seq: Tensor,
    decay: Tensor | float | None,
    dynamics: 'Dynamics',
    spikes: Tensor,
    h_seq: Tensor | None,
) -> bool:
    """Drive neurons through a sequence, see :func:`mmsnn.models.neurons.multi_step`.

    Args:
        x_seq: Input currents ``[T, ...]``.
        decay: ``1 / tau``, or None.
        dynamics: Threshold, reset and surrogate.
        spikes: Takes the spikes, in the input's dtype or in bytes (uint8); each step
            is laid out as the input's.
        h_seq: Takes the potentials before the reset, in fp32, likewise; or None.

    Returns:
        Whether it was done.
    """
    if type(dynamics.surrogate).__name__ not in _SURROGATES:
        return False
    lib = _usable(x_seq)
    if lib is None or not _is_dense(x_seq[0]):
        return False
    # spikes in bytes have kernels of their own
    name = 'multi_step' if spikes.dtype == x_seq.dtype else 'multi_step_bytes'
    _call(lib, name, x_seq.dtype)(
        _at(x_seq),
        ctypes.c_int64(x_seq.stride(0)),
        _at(spikes),
        _at(h_seq),
        ctypes.c_int64(len(x_seq)),
        ctypes.c_int64(x_seq[0].numel()),
        ctypes.byref(_pack(decay, dynamics)),
        ctypes.c_int(torch.get_num_threads()),
    )
    return True


def multi_step_backward(
    grad_spikes: Tensor,
    h_seq: Tensor,
    decay: Tensor | float | None,
    dynamics: 'Dynamics',
    grad_x: Tensor,
    learns: bool,
) -> float | None:
    """Write the gradient by the input to ``grad_x``.

    Args:
        grad_spikes: Gradient by the spikes, ``[T, ...]``.
        h_seq: Potentials before the reset, in fp32.
        decay: ``1 / tau``, or None.
        dynamics: Threshold, reset and surrogate.
        grad_x: Takes the gradient; each step is laid out as that of ``h_seq``.
        learns: Whether the gradient by the decay is wanted.

    Returns:
        The gradient by the decay (0 if it is not wanted); None if nothing was done.
    """
    if type(dynamics.surrogate).__name__ not in _SURROGATES:
        return None
    lib = _usable(grad_spikes)
    if lib is None or h_seq.dtype != torch.float32 or not _is_dense(h_seq[0]):
        return None
    if grad_spikes[0].stride() != h_seq[0].stride():
        grad_spikes = torch.empty_like(grad_x).copy_(grad_spikes)
    return _call(lib, 'multi_step_back', grad_spikes.dtype)(
        _at(grad_spikes),
        ctypes.c_int64(grad_spikes.stride(0)),
        _at(h_seq),
        _at(grad_x),
        ctypes.c_int64(len(h_seq)),
        ctypes.c_int64(h_seq[0].numel()),
        ctypes.byref(_pack(decay, dynamics)),
        ctypes.c_int(learns),
        ctypes.c_int(torch.get_num_threads()),
    )


def _same_order(*tensors: Tensor) -> bool:
    first = tensors[0]
    return _is_dense(first) and all(
        t.shape == first.shape and t.stride() == first.stride() for t in tensors
    )


def gate(h: Tensor, x: Tensor) -> Tensor | None:
    """Return ``h^2 + (1 - h) x``."""
    lib = _usable(h, x)
    if lib is None or not _same_order(h, x):
        return None
    y = torch.empty_like(h)
    _call(lib, 'gate', h.dtype)(
        _at(h),
        _at(x),
        _at(y),
        ctypes.c_int64(h.numel()),
        ctypes.c_int(torch.get_num_threads()),
    )
    return y


def gate_backward(grad: Tensor, h: Tensor, x: Tensor) -> tuple[Tensor, Tensor] | None:
    """Return the gradients of :func:`gate` by ``h`` and by ``x``."""
    lib = _usable(grad, h, x)
    if lib is None or not _same_order(grad, h, x):
        return None
    grad_h, grad_x = torch.empty_like(h), torch.empty_like(x)
    _call(lib, 'gate_back', h.dtype)(
        _at(grad),
        _at(h),
        _at(x),
        _at(grad_h),
        _at(grad_x),
        ctypes.c_int64(h.numel()),
        ctypes.c_int(torch.get_num_threads()),
    )
    return grad_h, grad_x


__all__ = ['gate', 'gate_backward', 'library', 'multi_step', 'multi_step_backward']
