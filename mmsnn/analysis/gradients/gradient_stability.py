r"""Gradient stability: the amplitude of the neurons' derivatives :math:`dO/dV`.

Li et al., *Rethinking residual connection in training large-scale spiking neural
networks* (DANet), Section V-E, Figs. 8 and 10, Tables IV and V. The paper multiplies
amplitudes "by the chain rule" without stating over which layers; both interpretations
are implemented, see :class:`Stability`.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from mmsnn.analysis.collector import Collector
from mmsnn.analysis.model_parts import named_blocks, named_neurons, steps_and_images
from mmsnn.models.backbones.base import SpikingBackbone
from mmsnn.models.neurons import BaseNeuron
from mmsnn.models.residual import DenselyAdditive

from .gradient_flow import child_name


@dataclass(frozen=True)
class NeuronStability:
    r"""The derivative of a layer's spikes with respect to its membrane potentials.

    It is the derivative of the surrogate, :math:`dO/dV = \sigma'(h - v_{th})`.

    Args:
        name: Name of the layer in the model.
        amplitude: Mean over all neurons, images and time steps; dimensionless.
        step_amplitudes: Mean at each time step.
        on_main_path: Whether the layer is on every path from the image to the features
            of the last stage that takes no shortcut. Layers in projections and layers
            that close shallower stages are not.
    """

    name: str
    amplitude: float
    step_amplitudes: tuple[float, ...]
    on_main_path: bool


@dataclass(frozen=True)
class Stability:
    r"""Gradient stability of a network, by layer and overall.

    Args:
        neurons: One per layer of neurons that was called, in the model's order.
        overall: Product of the amplitudes on the main path: the chain rule without
            shortcuts.
        with_shortcuts: The chain rule with shortcuts. It is the product over the blocks
            of

            .. math:: p\,(q + b), \quad\text{densely additive}\; 1 + p\,(q + b),

            where b, q and p are the products of the amplitudes in the branch, in the
            shortcut's projection (1 without neurons) and after the addition; times the
            amplitudes outside blocks. Convolutions and norms are assumed to pass
            gradients unchanged. None for networks without blocks and for merges that do
            not add, because their gradients depend on the spikes.
    """

    neurons: tuple[NeuronStability, ...]
    overall: float
    with_shortcuts: float | None


class GradientStability(Collector):
    """Measures the derivatives of a network's neurons in forward passes.

    No backward pass is needed. "The closer the amplitude is to 1, the more stable the
    gradients" (Li et al., Section V-E).

    Args:
        model: A spiking network, in training or evaluation mode.

    Raises:
        ValueError: If the model has no spiking neurons, or is called in
            :func:`mmsnn.streaming.step`.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)
        self._neurons = named_neurons(self.model)
        # sum and number of the derivatives, per layer and time step
        self._sums: dict[str, dict[int, list[float]]] = {}

    def attach(self) -> Iterator[RemovableHandle]:
        """Register the hooks; yield their handles."""
        for name, neuron in self._neurons:
            yield neuron.register_forward_pre_hook(partial(self._add, name))

    @torch.no_grad()
    def _add(self, name: str, neuron: BaseNeuron, args: tuple[Tensor]) -> None:
        slopes = neuron.slopes(args[0].detach())
        steps = steps_and_images(slopes, neuron.num_steps).flatten(1)
        sums = self._sums.setdefault(name, {})
        for step, total in enumerate(steps.sum(1, dtype=torch.float64).tolist()):
            known = sums.setdefault(step, [0.0, 0])
            known[0] += total
            known[1] += steps.shape[1]

    def result(self) -> Stability:
        """Return the amplitudes so far.

        Raises:
            RuntimeError: If no forward pass was run while the collector was entered.
        """
        if not self._sums:
            raise RuntimeError('GradientStability has seen no forward pass')
        aside = _side_paths(self.model)
        neurons = []
        for name, _ in self._neurons:
            if name in self._sums:
                sums = self._sums[name].values()
                total, count = map(sum, zip(*sums, strict=True))
                means = tuple(part / number for part, number in sums)
                main = not any(_inside(name, path) for path in aside)
                neurons.append(NeuronStability(name, total / count, means, main))
        overall = math.prod(n.amplitude for n in neurons if n.on_main_path)
        return Stability(
            tuple(neurons), overall, _with_shortcuts(self.model, tuple(neurons))
        )


def _inside(name: str, module: str) -> bool:
    return name == module or name.startswith(f'{module}.')


def _side_paths(model: nn.Module) -> list[str]:
    """Return modules off the main path: projections and all closings but the last."""
    aside = [child_name(name, 'projection') for name, _ in named_blocks(model)]
    for name, module in model.named_modules():
        if isinstance(module, SpikingBackbone):
            exits = [child_name(name, f'closings.{i}') for i in module.out_indices]
            aside += exits[:-1]
    return aside


def _with_shortcuts(
    model: nn.Module, neurons: Sequence[NeuronStability]
) -> float | None:
    """Return :attr:`Stability.with_shortcuts`."""
    blocks = dict(named_blocks(model))
    if not blocks:
        return None

    def product(path: str) -> float:
        return math.prod(n.amplitude for n in neurons if _inside(n.name, path))

    followers = {
        child_name(name, follower)
        for name, stage in model.named_modules()
        if isinstance(stage, DenselyAdditive)
        for _, follower in pairwise(child for child, _ in stage.named_children())
    }
    overall = 1.0
    for name, block in blocks.items():
        if block.merge is not None and not block.merge.adds:
            return None
        gain = product(f'{name}.branch')
        if block.merge is not None:
            gain += product(f'{name}.projection')
        gain *= product(f'{name}.post')
        overall *= 1 + gain if name in followers else gain
    for neuron in neurons:
        if neuron.on_main_path and not any(_inside(neuron.name, b) for b in blocks):
            overall *= neuron.amplitude
    return overall


__all__ = ['GradientStability', 'NeuronStability', 'Stability']
