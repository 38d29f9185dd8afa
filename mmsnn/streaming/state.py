"""One call of a network that continues from a state, as a pure function."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from mmsnn.models.decoders import BaseDecoder
from mmsnn.models.neurons import BaseNeuron
from mmsnn.models.neurons.carried_state import CarriedState, carrying
from mmsnn.utils import check_positive_int

State = dict[str, Tensor]
"""State of a stream: plain tensors, batch first, that can be saved and loaded."""


def step(
    network: nn.Module,
    *inputs: Any,
    num_steps: int,
    state: Mapping[str, Tensor] | None = None,
    **options: Any,
) -> tuple[Any, State]:
    """Run a network over the next time steps of a stream.

    It is a pure function: the network keeps nothing, and ``state`` is not changed. In
    evaluation mode, T steps give the same spikes in one call as in any partition into
    calls, bit-identical in fp32. In training mode, norms use the statistics of each
    call.

    Args:
        network: A neuron, stem, backbone, decoder, neck or head of ``mmsnn.models``,
            or a whole detector or classifier. The number of steps that it is built for
            does not matter; decoders average over about that many.
        *inputs: Arguments of the network: images ``[N, C, H, W]``, which are the same
            at each of the steps, frames ``[N, num_steps, C, H, W]``, or what the part
            takes, over ``num_steps`` time steps.
        num_steps: Number of time steps of this call, at least 1.
        state: What the call before returned; None starts a stream.
        **options: Keyword arguments of the network, such as ``mode='predict'``.

    Returns:
        The output of the network, and the state after the call. The state is part of
        the graph: :func:`detach` it for truncated backpropagation.

    Raises:
        ValueError: If the network has a part that cannot stream, such as compiled
            neurons, or the state is of another network, batch or image size.
    """
    check_positive_int('num_steps', num_steps)
    _check_not_compiled(network)
    carried = CarriedState(network, num_steps, {} if state is None else state)
    with carrying(carried):
        output = network(*inputs, **options)
    _check_complete(network, carried)
    return output, carried.after


def _has_state(network: nn.Module) -> bool:
    return any(isinstance(part, BaseNeuron | BaseDecoder) for part in network.modules())


def _check_not_compiled(network: nn.Module) -> None:
    """Check that no part with a state is compiled: it would start from rest."""
    for name, part in network.named_modules():
        compiled = hasattr(part, '_orig_mod') or part._compiled_call_impl is not None
        if compiled and _has_state(part):
            raise ValueError(
                f'{name or type(part).__name__} cannot stream: it is compiled'
            )


def _check_complete(network: nn.Module, carried: CarriedState) -> None:
    """Check that the call has updated the whole state."""
    if not carried.after and _has_state(network):
        raise ValueError(
            f'{type(network).__name__} cannot stream: none of its neurons has been '
            'called in a way that carries a state'
        )
    lost = sorted(carried.before.keys() - carried.after.keys())
    if lost:
        raise ValueError(f'the state has {lost[0]}, which this call has not updated')


def restart(network: nn.Module, state: Mapping[str, Tensor], items: Tensor) -> State:
    """Restart the streams of some items of a batch.

    If ``v_reset`` is 0 or None, the spikes are then bit-identical to those at the start
    of a stream; otherwise the first potential has another rounding error.

    Args:
        network: The network of the stream.
        state: The state; it is not changed.
        items: Booleans ``[N]``, True for each item that restarts.

    Raises:
        TypeError: If ``items`` are not booleans.
        ValueError: If its shape is not that of the batch.
    """
    if items.dtype != torch.bool:
        raise TypeError(f'items must be booleans, but got {items.dtype}')
    modules = dict(network.named_modules())
    restarted: State = {}
    for key, value in state.items():
        if items.shape != value.shape[:1]:
            raise ValueError(
                f'items must have shape {list(value.shape[:1])}, one per item of the '
                f'batch, but got {list(items.shape)}'
            )
        module = modules.get(key.rpartition('#')[0])
        if module is None:
            raise ValueError(f'the state has {key}, but the network has no such module')
        rest = module.dynamics.rest if isinstance(module, BaseNeuron) else 0.0
        mask = items.to(value.device).view(-1, *[1] * (value.dim() - 1))
        restarted[key] = torch.where(mask, torch.full_like(value, rest), value)
    return restarted


def detach(state: Mapping[str, Tensor]) -> State:
    """Return the state without a graph, so that gradients end there."""
    return {key: value.detach() for key, value in state.items()}


def to(state: Mapping[str, Tensor], device: torch.device | str) -> State:
    """Return the state on another device."""
    return {key: value.to(device) for key, value in state.items()}


__all__ = ['State', 'detach', 'restart', 'step', 'to']
