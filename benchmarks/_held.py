"""What a forward pass keeps for the backward pass, in exact bytes."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks


def tensors_in(value: Any) -> Iterator[Tensor]:
    """Return the tensors of what a hook made of a tensor: itself, or a packed form."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        yield from tensors_in(list(value.values()))
    elif isinstance(value, list | tuple):
        for element in value:
            yield from tensors_in(element)
    elif hasattr(value, '__dataclass_fields__'):
        yield from tensors_in([getattr(value, name) for name in vars(value)])


def held_bytes(forward: Callable[[], object], without: Iterable[Tensor] = ()) -> int:
    """Return the bytes of all tensors that a forward pass saves for its gradient.

    Each storage counts once, and as a whole, however many saved tensors are views of
    it. What a network packs by hooks of its own counts in its packed form, and what a
    checkpoint will recompute does not count.

    Args:
        forward: Runs the pass and returns what must live until the backward pass.
        without: Tensors that do not count: parameters and buffers exist anyway.
    """
    known = {tensor.untyped_storage().data_ptr() for tensor in without}
    storages: dict[int, torch.UntypedStorage] = {}
    enter = saved_tensors_hooks.__enter__

    def watched(pack: Callable[[Tensor], Any]) -> Callable[[Tensor], Any]:
        def watch(tensor: Tensor) -> Any:
            packed = pack(tensor)
            for part in tensors_in(packed):
                storage = part.untyped_storage()
                if storage.data_ptr() not in known:
                    # kept to the end: a free address could be given out twice
                    storages[storage.data_ptr()] = storage
            return packed

        return watch

    def enter_watched(hooks: saved_tensors_hooks) -> None:
        hooks.pack_hook = watched(hooks.pack_hook)
        enter(hooks)

    # of nested hooks PyTorch calls the innermost alone, so that all are watched
    with (
        mock.patch.object(saved_tensors_hooks, '__enter__', enter_watched),
        saved_tensors_hooks(lambda tensor: tensor, lambda tensor: tensor),
    ):
        output = forward()
    total = sum(storage.nbytes() for storage in storages.values())
    del output
    return total
