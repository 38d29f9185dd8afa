"""What a training forward holds for its backward pass, in bytes."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Held(TorchDispatchMode):
    """Counts the memory that operations made while entered and that is still alive.

    That is what is saved for the backward pass, however it is: hooks on saved tensors
    would not see what is saved inside of other hooks.
    """

    def __init__(self) -> None:
        super().__init__()
        self._made: dict[int, tuple[StorageWeakRef, int]] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, Tensor):
                storage = tensor.untyped_storage()
                made = StorageWeakRef(storage), storage.nbytes()
                self._made[storage._cdata] = made
        return out

    def bytes(self, *without: Tensor) -> int:
        """Return the bytes that are alive, each storage once.

        Args:
            *without: Tensors that do not count.
        """
        known = {tensor.untyped_storage()._cdata for tensor in without}
        return sum(
            size
            for key, (storage, size) in self._made.items()
            if key not in known and not storage.expired()
        )


def held_bytes(network: nn.Module, x: Tensor) -> int:
    """Return what a training forward holds, without parameters, image and output."""
    with Held() as held:
        out = network(x)
    outputs = [leaf for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]
    return held.bytes(x, *network.parameters(), *network.buffers(), *outputs)


def pair(make, *args, **options) -> tuple[nn.Module, nn.Module]:
    """Return a network without the option and one with, of the same weights."""
    plain = make(*args, **options)
    plain.init_weights()
    lean = make(*args, **options, memory_efficient=True)
    lean.load_state_dict(plain.state_dict())
    for network in (plain, lean):
        network.to(memory_format=torch.channels_last).train()
    return plain, lean
