"""The exact number of bytes that a forward pass keeps for the backward pass."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks


def tensors_in(value: Any) -> Iterator[Tensor]:
    """Yield the tensors in the result of a pack hook: the tensor or a packed form."""
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

    Each storage is counted once and in full, even if several saved tensors are views of
    it. Tensors that a network packs with its own hooks are counted in their packed
    form, and tensors that are recomputed by checkpointing are not counted.

    Args:
        forward: Runs the pass and returns what must live until the backward pass.
        without: Tensors that are not counted, such as parameters and buffers.
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
                    # kept to the end, since freed addresses are reused
                    storages[storage.data_ptr()] = storage
            return packed

        return watch

    def enter_watched(hooks: saved_tensors_hooks) -> None:
        hooks.pack_hook = watched(hooks.pack_hook)
        enter(hooks)

    # PyTorch calls only the innermost of nested hooks, so all of them are watched
    with (
        mock.patch.object(saved_tensors_hooks, '__enter__', enter_watched),
        saved_tensors_hooks(lambda tensor: tensor, lambda tensor: tensor),
    ):
        output = forward()
    total = sum(storage.nbytes() for storage in storages.values())
    del output
    return total
