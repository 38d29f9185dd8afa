"""Parts of a network that hold their packed input and recompute the rest."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.checkpoint import checkpoint

from mmsnn.ops import pack, unpack


class Recomputable(nn.Module):
    """A part that may hold its input alone from forward to backward pass.

    With :attr:`recompute` on, what its layers need for their gradients is not held but
    computed again when the backward pass comes to the part. That is right because
    nothing in it has a state: neurons start from rest at every call, and

    - what layers write to their buffers (the running statistics of norms) counts the
      first time alone;
    - random numbers and autocast are as they were the first time.

    The input is held packed: spikes a bit each, small integers a byte, other values as
    they are (see :func:`mmsnn.ops.pack`). Gradients are the same to the bit
    where the operations are reproducible.

    Nothing is recomputed where there is nothing to save: without gradients, in a frozen
    part, or while ``torch.compile`` traces, which decides itself what it keeps. A part
    whose layers have hooks of their own, as a collector registers them, runs as without
    the option: hooks see each layer once.

    Derived classes define :meth:`compute`, not ``forward``.
    """

    recompute = False

    def forward(self, x: Tensor) -> Tensor:
        """Return what :meth:`compute` returns."""
        if not (self.recompute and torch.is_grad_enabled() and self._learns(x)):
            return self.compute(x)
        if torch.compiler.is_compiling() or self._is_watched():
            return self.compute(x)
        return recomputed(self.compute, x, _ScratchBuffers(self))

    def compute(self, x: Tensor) -> Tensor:
        """Return the output for an input."""
        raise NotImplementedError(f'{type(self).__name__} defines no compute')

    def _learns(self, x: Tensor) -> bool:
        return x.requires_grad or any(p.requires_grad for p in self.parameters())

    def _is_watched(self) -> bool:
        """Return whether a layer inside has hooks; the part's own are outside."""
        return any(
            module._forward_hooks
            or module._forward_pre_hooks
            or module._backward_hooks
            or module._backward_pre_hooks
            for module in self.modules()
            if module is not self
        )


class RecomputableSequential(Recomputable, nn.Sequential):
    """Layers one behind the other that are recomputed together."""

    def compute(self, x: Tensor) -> Tensor:
        """See :class:`Recomputable`."""
        for module in self:
            x = module(x)
        return x


def set_recompute(network: nn.Module, recompute: bool) -> None:
    """Switch recomputation of a network's parts on or off.

    Args:
        network: Its parts that are recomputable, and in no other such part, are
            switched.
        recompute: Whether they hold their inputs alone.
    """
    for child in network.children():
        if isinstance(child, Recomputable) and any(child.children()):
            child.recompute = recompute
        else:
            set_recompute(child, recompute)


def recomputed(
    function: Callable[[Tensor], Tensor],
    x: Tensor,
    again: AbstractContextManager[None],
) -> Tensor:
    """Return ``function(x)``, of which ``x`` alone is held, packed.

    Args:
        function: Called in the forward and again in the backward pass.
        x: Its argument.
        again: Context of the second call, and of further ones over a kept graph.
    """
    with saved_tensors_hooks(pack, unpack):
        # its own hooks rule inside: what is packed here is the argument
        return checkpoint(
            function,
            x,
            use_reentrant=False,
            context_fn=lambda: (nullcontext(), again),
        )


class _ScratchBuffers:
    """Lets layers write to copies of their buffers, which are dropped.

    It is entered once for every backward pass over a graph that is kept.
    """

    def __init__(self, part: nn.Module) -> None:
        self._part = part
        self._kept: list[tuple[nn.Module, dict[str, Tensor | None]]] = []

    def __enter__(self) -> None:
        for module in self._part.modules():
            buffers = module._buffers
            if buffers:
                self._kept.append((module, dict(buffers)))
                for name, buffer in buffers.items():
                    buffers[name] = None if buffer is None else buffer.clone()

    def __exit__(self, *error: object) -> None:
        for module, buffers in self._kept:
            module._buffers.update(buffers)
        self._kept.clear()


__all__ = ['Recomputable', 'RecomputableSequential', 'recomputed', 'set_recompute']
