"""How gradients reach shallow blocks: their norms, as Fang et al. 2021 plot them.

(*Deep residual learning in spiking neural networks*, Figs. 6 to 8.) The neurons' own
part in it is measured in :mod:`mmsnn.analysis.gradients.gradient_stability`.
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
    """Return the L2 norm, in double precision: in fp32 squares may overflow."""
    return gradient.detach().double().norm().item()


def norm_ratio(norms: Sequence[float]) -> float:
    """Return the first norm in units of the last.

    It is infinite where the first has left fp32's range, or the last alone is zero, and
    zero where the first is.
    """
    first, last = norms[0], norms[-1]
    if not first:
        return 0.0
    return first / last if math.isfinite(first) and last else math.inf


@dataclass(frozen=True)
class BlockGradient:
    """The gradient of the loss by what a block passes on.

    In a densely additive stage that is the sum of all blocks so far.

    Args:
        name: Of the block in the model.
        stage: Of the module that holds it.
        shape: Of what it passes on, ``(C, H, W)``, in the latest pass.
        norm: L2 norm over the batch and all steps, of several backward passes the root
            mean square. None where no gradient came: the block is frozen, or the loss
            does not depend on it.
        passes: Number of backward passes.
    """

    name: str
    stage: str
    shape: tuple[int, ...]
    norm: float | None
    passes: int


@dataclass(frozen=True)
class LayerGradient:
    """The gradient of the loss by a layer's own parameters.

    Args:
        name: Of the layer in the model.
        norm: L2 norm over all its parameters, of several backward passes the root mean
            square. None where no gradient came.
        passes: Number of backward passes.
    """

    name: str
    norm: float | None
    passes: int


@dataclass(frozen=True)
class Gradients:
    """Norms of gradients, in the model's order.

    Args:
        blocks: One a residual block, or a stage where there are no blocks.
        layers: One a layer with parameters that learn; empty unless asked for.
    """

    blocks: tuple[BlockGradient, ...]
    layers: tuple[LayerGradient, ...]

    @property
    def gain(self) -> float | None:
        """How much gradients grow on their way through all blocks that keep the size.

        Of each stage it is the norm behind its first block over the norm behind its
        last, and their product over the stages: below 1 gradients vanish, above 1 they
        grow. None if no two blocks follow each other in a size, or a norm is missing.
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
    """Register hooks that tell what each block passes on, in order, with its graph.

    Args:
        model: Any model; without residual blocks, the stages of its spiking backbones
            are watched.
        seen: Called in the forward pass with a block's name and its value,
            ``[T * N, C, H, W]``; in a densely additive stage the sum of all blocks so
            far, which is what the next one is fed with.

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
    """Return the residual blocks, or else the stages of spiking backbones."""
    blocks: list[tuple[str, nn.Module]] = [*named_blocks(model)]
    return blocks or [
        (child_name(name, f'stages.{i}'), stage)
        for name, module in model.named_modules()
        if isinstance(module, SpikingBackbone)
        for i, stage in enumerate(module.stages)
    ]


class GradientFlow(Collector):
    """Watches the gradients of a loss, while entered, in forward and backward passes.

    Forward and backward are the user's, and both belong inside::

        with GradientFlow(model) as flow:
            model(images).mean().backward()
        flow.result().gain

    Norms are taken while the backward pass runs, and kept as numbers.

    Args:
        model: A spiking network: a backbone or what holds one. In evaluation mode the
            gradients are those of fixed norms.
        weights: Whether the gradients by weights are measured too.

    Raises:
        ValueError: If the model has no spiking neurons.
        TypeError: If ``weights`` is no bool.
    """

    def __init__(self, model: nn.Module, weights: bool = False) -> None:
        super().__init__(model)
        named_neurons(self.model)
        self.weights = check_bool('weights', weights)
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._norms: dict[str, list[float]] = defaultdict(list)

    def attach(self) -> Iterator[RemovableHandle]:
        """See :class:`Collector`."""
        yield from watch_passed(self.model, self._watch)
        if self.weights:
            for name, parameters in self._layers():
                for key, parameter in parameters.items():
                    keep = partial(self._keep, child_name(name, key))
                    yield parameter.register_hook(keep)

    def _layers(self) -> Iterator[tuple[str, dict[str, nn.Parameter]]]:
        """Yield the layers with parameters of their own that learn."""
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
            # removed with the others, so that nothing is added after the exit
            self._handles.append(value.register_hook(partial(self._keep, name)))

    def _keep(self, name: str, gradient: Tensor) -> None:
        self._norms[name].append(gradient_norm(gradient))

    def result(self) -> Gradients:
        """Return the norms so far.

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
    """Return the root mean square, None of nothing."""
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
