"""Gradient flow: norms of the gradients of residual blocks over the depth.

As plotted by Fang et al. 2021, *Deep residual learning in spiking neural networks*,
Figs. 6 to 8. The derivatives of the neurons alone are measured in
:mod:`mmsnn.analysis.gradients.gradient_stability`.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from mmsnn.analysis.collector import Collector
from mmsnn.analysis.model_parts import named_blocks, named_neurons
from mmsnn.models.backbones.base import SpikingBackbone
from mmsnn.models.residual import DenselyAdditive
from mmsnn.utils import check_bool


def gradient_norm(gradient: Tensor) -> float:
    """Return the L2 norm, in double precision because fp32 squares may overflow."""
    return gradient.detach().double().norm().item()


def norm_ratio(norms: Sequence[float]) -> float:
    """Return the ratio of the first norm to the last.

    It is infinite if the first norm is not finite or only the last is zero, and zero if
    the first is zero.
    """
    first, last = norms[0], norms[-1]
    if not first:
        return 0.0
    return first / last if math.isfinite(first) and last else math.inf


@dataclass(frozen=True)
class BlockGradient:
    """The gradient of the loss with respect to the output of a block.

    In a densely additive stage, the output is the sum of all blocks so far.

    Args:
        name: Name of the block in the model.
        stage: Name of the module that contains the block.
        shape: Shape of the output, ``(C, H, W)``, in the latest forward pass.
        norm: L2 norm over the batch and all time steps; the root mean square over
            several backward passes. None without a gradient: the block is frozen, or
            the loss does not depend on it.
        passes: Number of backward passes.
    """

    name: str
    stage: str
    shape: tuple[int, ...]
    norm: float | None
    passes: int


@dataclass(frozen=True)
class LayerGradient:
    """The gradient of the loss with respect to a layer's own parameters.

    Args:
        name: Name of the layer in the model.
        norm: L2 norm over all its parameters; the root mean square over several
            backward passes. None without a gradient.
        passes: Number of backward passes.
    """

    name: str
    norm: float | None
    passes: int


@dataclass(frozen=True)
class Gradients:
    """Norms of gradients, in the model's order.

    Args:
        blocks: One per residual block, or per stage in networks without blocks.
        layers: One per layer with trainable parameters; empty without ``weights``.
    """

    blocks: tuple[BlockGradient, ...]
    layers: tuple[LayerGradient, ...]

    @property
    def gain(self) -> float | None:
        """Growth of the gradients from deep to shallow blocks of the same size.

        For each stage, the ratio of the norm after its first block to the norm after
        its last block; the gain is the product over the stages. Gradients vanish below
        1 and grow above 1. None if no two consecutive blocks have the same size, or if
        a norm is missing.
        """
        gains = []
        for _, run in groupby(self.blocks, key=lambda b: (b.stage, b.shape)):
            norms = [block.norm for block in run]
            if len(norms) > 1:
                known = [norm for norm in norms if norm is not None]
                if len(known) < len(norms):
                    return None
                gains.append(norm_ratio(known))
        return math.prod(gains) if gains else None


def watch_passed(
    model: nn.Module, seen: Callable[[str, Tensor], None]
) -> Iterator[RemovableHandle]:
    """Register hooks that report the output of each block, in order, with its graph.

    Args:
        model: Any model; without residual blocks, the stages of its spiking backbones
            are used.
        seen: Called in the forward pass with a block's name and its output,
            ``[T * N, C, H, W]``; in a densely additive stage the sum of all blocks so
            far, which is the next block's input.

    Yields:
        The hooks' handles.
    """

    def before(name: str, module: nn.Module, args: tuple[Any, ...]) -> None:
        seen(name, args[0])

    def after(
        name: str, module: nn.Module, args: tuple[Any, ...], output: Tensor
    ) -> None:
        seen(name, output)

    summed = set()
    for name, stage in model.named_modules():
        if isinstance(stage, DenselyAdditive):
            children = [child_name(name, child) for child, _ in stage.named_children()]
            for child, follower in zip(children, list(stage)[1:], strict=False):
                yield follower.register_forward_pre_hook(partial(before, child))
            yield stage.register_forward_hook(partial(after, children[-1]))
            summed.update(children)
    for name, module in _passing_modules(model):
        if name not in summed:
            yield module.register_forward_hook(partial(after, name))


def child_name(parent: str, child: str) -> str:
    """Return the name that ``named_modules()`` gives a module's child."""
    return f'{parent}.{child}' if parent else child


def _passing_modules(model: nn.Module) -> list[tuple[str, nn.Module]]:
    """Return the residual blocks or, if there are none, the backbones' stages."""
    blocks: list[tuple[str, nn.Module]] = [*named_blocks(model)]
    return blocks or [
        (child_name(name, f'stages.{i}'), stage)
        for name, module in model.named_modules()
        if isinstance(module, SpikingBackbone)
        for i, stage in enumerate(module.stages)
    ]


class GradientFlow(Collector):
    """Measures the norms of a loss's gradients in forward and backward passes.

    Run both the forward and the backward pass in the context::

        with GradientFlow(model) as flow:
            model(images).mean().backward()
        flow.result().gain

    Norms are computed during the backward pass and kept as numbers.

    Args:
        model: A spiking network: a backbone or a model that contains one. In evaluation
            mode, batch norms use their running statistics.
        weights: Whether to measure the gradients with respect to the weights as well.

    Raises:
        ValueError: If the model has no spiking neurons.
        TypeError: If ``weights`` is not a bool.
    """

    def __init__(self, model: nn.Module, weights: bool = False) -> None:
        super().__init__(model)
        named_neurons(self.model)
        self.weights = check_bool('weights', weights)
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._norms: dict[str, list[float]] = defaultdict(list)

    def attach(self) -> Iterator[RemovableHandle]:
        """Register the hooks; yield their handles."""
        yield from watch_passed(self.model, self._watch)
        if self.weights:
            for name, parameters in self._layers():
                for key, parameter in parameters.items():
                    keep = partial(self._keep, child_name(name, key))
                    yield parameter.register_hook(keep)

    def _layers(self) -> Iterator[tuple[str, dict[str, nn.Parameter]]]:
        """Yield the layers that have trainable parameters of their own."""
        for name, module in self.model.named_modules():
            parameters = {
                key: parameter
                for key, parameter in module.named_parameters(recurse=False)
                if parameter.requires_grad
            }
            if parameters:
                yield name, parameters

    def _watch(self, name: str, value: Tensor) -> None:
        self._shapes[name] = tuple(value.shape[1:])
        if value.requires_grad:
            # removed with the other hooks, so that nothing is added after the exit
            self._handles.append(value.register_hook(partial(self._keep, name)))

    def _keep(self, name: str, gradient: Tensor) -> None:
        self._norms[name].append(gradient_norm(gradient))

    def result(self) -> Gradients:
        """Return the gradient norms so far.

        Raises:
            RuntimeError: If no forward pass was run while the collector was entered.
        """
        if not self._shapes:
            raise RuntimeError('GradientFlow has seen no forward pass')
        blocks = []
        for name, _ in _passing_modules(self.model):
            if name in self._shapes:
                norms = self._norms.get(name, [])
                stage = name.rpartition('.')[0]
                shape = self._shapes[name]
                blocks.append(
                    BlockGradient(name, stage, shape, _mean_norm(norms), len(norms))
                )
        layers = [
            self._layer(name, parameters)
            for name, parameters in (self._layers() if self.weights else ())
        ]
        return Gradients(tuple(blocks), tuple(layers))

    def _layer(self, name: str, keys: Iterable[str]) -> LayerGradient:
        """Return the norm over all of a layer's parameters."""
        passes = [self._norms.get(child_name(name, key), []) for key in keys]
        norms = [_mean_norm(norms) for norms in passes if norms]
        norm = math.hypot(*(n for n in norms if n is not None)) if norms else None
        return LayerGradient(name, norm, max(map(len, passes)))


def _mean_norm(norms: Sequence[float]) -> float | None:
    """Return the root mean square, or None for an empty sequence."""
    return math.hypot(*norms) / math.sqrt(len(norms)) if norms else None


__all__ = [
    'BlockGradient',
    'GradientFlow',
    'Gradients',
    'LayerGradient',
    'child_name',
    'gradient_norm',
    'norm_ratio',
    'watch_passed',
]
