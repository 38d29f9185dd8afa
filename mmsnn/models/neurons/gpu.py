"""SpikingJelly's fused neurons, for tensors on a GPU."""

import functools
import os
import warnings
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from mmsnn.kernels.build import SWITCH
from mmsnn.utils.errors import first_line

if TYPE_CHECKING:
    from .functional import Dynamics

_DTYPES = (torch.float32, torch.float16, torch.bfloat16)
_refused: list[str] = []
"""Why SpikingJelly's neurons are not used any more, once they have failed."""


def multi_step(
    x_seq: Tensor, decay: Tensor | float | None, dynamics: 'Dynamics'
) -> Tensor | None:
    """Return the spikes of :func:`mmsnn.models.neurons.multi_step`, by SpikingJelly.

    ``functional.if_multi_step`` and ``lif_multi_step`` keep no state and choose the
    implementation for the tensor's device, Triton's on a GPU. The potential is fp32.

    Args:
        x_seq: Input currents, ``[T, ...]``.
        decay: ``1 / tau``, or None for IF.
        dynamics: Threshold, reset and surrogate.

    Returns:
        The spikes; None where SpikingJelly has no fused neuron (learned decays,
        rectangular surrogates, fp64), with ``MMSNN_KERNELS=0``, and after it has failed
        once, which is said in a warning.
    """
    surrogate = _surrogate(type(dynamics.surrogate).__name__, dynamics.surrogate.alpha)
    if surrogate is None or isinstance(decay, Tensor) or x_seq.dtype not in _DTYPES:
        return None
    if _refused or os.environ.get(SWITCH, '1') == '0':
        return None
    try:
        return _run(x_seq, decay, dynamics, surrogate)
    except Exception as error:
        # of a compiler or a driver: whatever it is, PyTorch's operations work
        _refused.append(first_line(error))
        warnings.warn(
            "SpikingJelly's fused neurons do not work here, mmsnn is slower without: "
            f'{_refused[0]} ({SWITCH}=0 does not try)',
            stacklevel=2,
        )
        return None


def _run(
    x_seq: Tensor, decay: float | None, dynamics: 'Dynamics', surrogate: Any
) -> Tensor:
    from spikingjelly.activation_based import functional

    rest = torch.full_like(x_seq[0], dynamics.rest, dtype=torch.float32)
    settings = dict(
        v_threshold=dynamics.v_threshold,
        v_reset=dynamics.v_reset,
        surrogate_function=surrogate,
        detach_reset=dynamics.detach_reset,
    )
    if decay is None:
        spikes, *_ = functional.if_multi_step(x_seq, rest, **settings)
    else:
        spikes, *_ = functional.lif_multi_step(
            x_seq,
            rest,
            tau=1 / decay,
            decay_input=dynamics.decay_input,
            **settings,
        )
    return spikes


@functools.cache
def _surrogate(name: str, alpha: float) -> Any:
    """Return SpikingJelly's surrogate of a name; None if it has none that is fused."""
    if name not in ('ATan', 'Sigmoid'):
        return None
    from spikingjelly.activation_based import surrogate

    return getattr(surrogate, name)(alpha=alpha)
