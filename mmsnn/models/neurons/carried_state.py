"""The state that neurons, stems and decoders carry between the calls of a stream.

Modules keep no state. Inside :func:`carrying`, those that have a memory read the state
after the previous call from a mapping and write the state after this call to another.
:mod:`mmsnn.streaming` is the interface.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor, nn


class CarriedState:
    """States before and after one call of a network, by the names of its modules.

    A module that is called several times, such as a head that is shared by the levels
    of a pyramid, has one state per call: the key is ``name#call.field``.

    Args:
        network: The network; it is not changed.
        num_steps: Number of time steps of this call.
        before: The states after the previous call; empty at the start of a stream.

    Attributes:
        after: The states after this call.
    """

    def __init__(
        self, network: nn.Module, num_steps: int, before: Mapping[str, Tensor]
    ) -> None:
        self.num_steps = num_steps
        self.before = before
        self.after: dict[str, Tensor] = {}
        self._names = {module: name for name, module in network.named_modules()}
        self._calls: dict[nn.Module, int] = {}

    def key(self, module: nn.Module) -> str:
        """Return the key of a module's next call.

        Raises:
            ValueError: If the network does not contain the module.
        """
        if module not in self._names:
            raise ValueError(
                f'a {type(module).__name__} that streams must be part of the network '
                'that is called, but is not'
            )
        call = self._calls.get(module, 0)
        self._calls[module] = call + 1
        return f'{self._names[module]}#{call}'

    def take(self, key: str, field: str, shape: torch.Size) -> Tensor | None:
        """Return a state of the previous call, None at the start of a stream.

        Raises:
            ValueError: If it is missing or has another shape.
        """
        state = self.before.get(f'{key}.{field}')
        if state is None:
            if self.before:
                raise ValueError(
                    f'the state has no {key}.{field}: it is of another network'
                )
            return None
        if state.shape != shape:
            raise ValueError(
                f'the state {key}.{field} has shape {list(state.shape)}, but this '
                f'input needs {list(shape)}: batch and image size stay the same in a '
                'stream'
            )
        return state

    def put(self, key: str, field: str, state: Tensor) -> None:
        """Store a state after this call."""
        self.after[f'{key}.{field}'] = state

    def again(self) -> 'CarriedState':
        """Return a copy for a second run of the layers that are called next.

        It reads the same states; what it writes is discarded.
        """
        copy = object.__new__(CarriedState)
        copy.num_steps, copy.before, copy.after = self.num_steps, self.before, {}
        copy._names, copy._calls = self._names, dict(self._calls)
        return copy


_CARRIED: ContextVar[CarriedState | None] = ContextVar('carried_state', default=None)


def carried_state() -> CarriedState | None:
    """Return the states of the current call, None outside a stream.

    torch.compile cannot trace the lookup, so compiled graphs do not stream.
    """
    if torch.compiler.is_dynamo_compiling():
        return None
    return _CARRIED.get()


@contextmanager
def carrying(carried: CarriedState | None) -> Iterator[None]:
    """Make modules in this thread stream with the given states."""
    token = _CARRIED.set(carried)
    try:
        yield
    finally:
        _CARRIED.reset(token)


def current_steps(num_steps: int) -> int:
    """Return the number of time steps of the current call.

    Args:
        num_steps: The number that the module is built for, returned outside a stream.
    """
    carried = carried_state()
    return num_steps if carried is None else carried.num_steps


def count_steps(
    carried: CarriedState, key: str, batch: int, device: torch.device
) -> Tensor:
    """Return the time steps that each item has seen, ``[N]``, and add those of now."""
    seen = carried.take(key, 'count', torch.Size([batch]))
    if seen is None:
        seen = torch.zeros(batch, dtype=torch.int64, device=device)
    carried.put(key, 'count', seen + carried.num_steps)
    return seen


__all__ = [
    'CarriedState',
    'carried_state',
    'carrying',
    'count_steps',
    'current_steps',
]
