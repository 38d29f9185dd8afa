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


def results(network: nn.Module, x: Tensor, passes: int = 1) -> dict[str, Tensor]:
    """Return outputs, gradients and statistics of training passes."""
    found = {}
    for number in range(passes):
        torch.manual_seed(3)
        for i, level in enumerate(network(x)):
            found[f'output {number} {i}'] = level.detach()
            if level.requires_grad:
                weight = torch.randn(level.shape).to(level.dtype)
                (level * weight).sum().backward(retain_graph=True)
    found['random'] = torch.rand(3)
    gradients = {n: p.grad for n, p in network.named_parameters()}
    found |= {f'grad {n}': g for n, g in gradients.items() if g is not None}
    return found | {n: b.clone() for n, b in network.named_buffers()}


def check_same(plain: nn.Module, lean: nn.Module, x: Tensor, passes: int = 1) -> None:
    expected, found = results(plain, x, passes), results(lean, x, passes)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(found[name], value), name
    for name in expected:
        if name.startswith('output'):
            assert found[name].any(), name
    norms = [n for n in lean.state_dict() if n.endswith('num_batches_tracked')]
    modules = dict(lean.named_modules())
    for name in norms:
        training = modules[name.rpartition('.')[0]].training
        assert lean.state_dict()[name] == (passes if training else 0), name
