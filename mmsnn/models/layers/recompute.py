"""Activation checkpointing of parts of a network, with packed inputs."""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.checkpoint import checkpoint

from mmsnn.models.neurons.carried_state import carried_state, carrying
from mmsnn.ops import pack, unpack


class Recomputable(nn.Module):
    """Base of parts that can save only their input for the backward pass.

    With ``recompute`` enabled, the activations that the layers need for their
    gradients are not saved but recomputed in the backward pass. The result is the same,
    since

    - neurons start from rest at every call or, in a stream, from the same state;
    - layers update their buffers (the running statistics of norms) in the first call
      only;
    - random numbers and autocast are the same as in the first call.

    The input is saved packed: one bit per spike, one byte per small integer, other
    values unchanged (see :func:`mmsnn.ops.pack`). Gradients are bit-identical if the
    operations are deterministic.

    Nothing is recomputed if it would save no memory: without gradients, in a frozen
    part, or while a graph is traced (``torch.compile``, ``make_fx``, fake tensors). If
    layers inside a part have hooks, such as those of a collector, the option has no
    effect on the part, so that hooks run once per layer.

    Derived classes define :meth:`compute`, not ``forward``.
    """

    recompute = False

    def forward(self, x: Tensor) -> Tensor:
        """Return the output of :meth:`compute`."""
        if not (self.recompute and torch.is_grad_enabled() and self._learns(x)):
            return self.compute(x)
        if _is_traced() or self._is_watched():
            return self.compute(x)
        return recomputed(self.compute, x, _SecondRun(self))

    def compute(self, x: Tensor) -> Tensor:
        """Return the output for an input."""
        raise NotImplementedError(f'{type(self).__name__} defines no compute')

    def _learns(self, x: Tensor) -> bool:
        return x.requires_grad or any(p.requires_grad for p in self.parameters())

    def _is_watched(self) -> bool:
        """Return whether a layer inside has hooks; the part's own do not count."""
        return any(
            module._forward_hooks
            or module._forward_pre_hooks
            or module._backward_hooks
            or module._backward_pre_hooks
            for module in self.modules()
            if module is not self
        )


def _is_traced() -> bool:
    """Return whether operations are recorded in a graph, or run on fake tensors."""
    if torch.compiler.is_compiling():
        return True
    keys = torch._C._TorchDispatchModeKey
    modes = (keys.PROXY, keys.FAKE)
    return any(torch._C._get_dispatch_mode(key) is not None for key in modes)


class RecomputableSequential(Recomputable, nn.Sequential):
    """A sequence of layers that are recomputed together."""

    def compute(self, x: Tensor) -> Tensor:
        """Apply the layers in order."""
        for module in self:
            x = module(x)
        return x


def set_recompute(network: nn.Module, recompute: bool) -> None:
    """Enable or disable recomputation in a network.

    Args:
        network: Its recomputable parts, except those inside another such part, are
            changed.
        recompute: Whether they save only their inputs.
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
    """Return ``function(x)``, saving only ``x``, packed, for the backward pass.

    Args:
        function: Called in the forward pass and again in the backward pass.
        x: Its argument.
        again: Context manager of the second call, and of further calls if the graph is
            retained.
    """
    with saved_tensors_hooks(pack, unpack):
        # checkpoint's own hooks apply inside, so only the argument is packed
        return checkpoint(
            function,
            x,
            use_reentrant=False,
            context_fn=lambda: (nullcontext(), again),
        )


class _SecondRun(AbstractContextManager[None]):
    """Context in which a part gives the same output again, without side effects.

    Layers write to copies of their buffers, which are discarded. The context is entered
    once per backward pass, so more than once if the graph is retained.
    """

    def __init__(self, part: nn.Module) -> None:
        self._part = part
        carried = carried_state()
        self._carried = None if carried is None else carried.again()
        self._stack = ExitStack()

    def __enter__(self) -> None:
        carried = None if self._carried is None else self._carried.again()
        self._stack.enter_context(carrying(carried))
        for module in self._part.modules():
            buffers = module._buffers
            self._stack.callback(buffers.update, dict(buffers))
            for name, buffer in buffers.items():
                buffers[name] = None if buffer is None else buffer.clone()

    def __exit__(self, *error: object) -> None:
        self._stack.close()


__all__ = ['Recomputable', 'RecomputableSequential', 'recomputed', 'set_recompute']
