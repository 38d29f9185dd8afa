"""Inputs and activations of spiking necks and heads, over time steps."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from mmsnn.models.neurons import build_neuron, current_steps
from mmsnn.registry import MODELS

IF_NEURON: Mapping[str, Any] = dict(type='IF')


def fold_steps(name: str, x: Tensor, num_steps: int) -> Tensor:
    """Return features over time as ``[T * N, ...]``.

    Args:
        name: Name of the layer that takes them, for the message.
        x: Features ``[T, N, C, H, W]``.
        num_steps: Number of time steps T that the layer is built for.

    Raises:
        ValueError: If the features are not of T time steps, such as decoded features.
    """
    num_steps = current_steps(num_steps)
    if x.dim() != 5 or x.shape[0] != num_steps:
        raise ValueError(
            f'{name} takes features over num_steps={num_steps} time steps, '
            f'[T, N, C, H, W], but got shape {list(x.shape)}; decoded features '
            '[N, C, H, W] need an ordinary layer'
        )
    return x.flatten(0, 1)


def check_spikes(name: str, x: Tensor, unit: float = 1.0) -> None:
    """Check that a layer that accumulates spikes gets spikes.

    Args:
        name: Name of the layer that takes them, for the message.
        x: Any tensor.
        unit: Value that stands for one spike.

    Raises:
        ValueError: If a value is not an integer times ``unit``.
    """
    if torch.compiler.is_compiling() or torch.jit.is_tracing():
        return
    if not are_whole(x.detach() if unit == 1 else x.detach() / unit):
        raise ValueError(
            f'{name} takes spikes, multiples of {unit:g} as those of its own neurons, '
            'but got other values: it must follow a spiking backbone without decoders, '
            'whose neurons have the same value of a spike'
        )


def are_whole(numbers: Tensor) -> bool:
    """Return whether numbers of spikes are integers, up to rounding errors."""
    return bool(torch.isclose(numbers, numbers.round(), rtol=0, atol=1e-3).all())


def spike_first(conv: Any, neuron: Mapping[str, Any], num_steps: int) -> None:
    """Make MMCV's ``ConvModule`` a unit of neuron, convolution and norm.

    Args:
        conv: The ``ConvModule``; it is changed, but not its parameters' names.
        neuron: Neuron config, see :func:`mmsnn.models.neurons.build_neuron`.
        num_steps: Number of time steps T.
    """
    conv.order = ('act', 'conv', 'norm')
    conv.with_activation = True
    conv.activate = build_neuron(neuron, num_steps)


@MODELS.register_module()
class SpikingActivation(nn.Module):
    """Spiking neurons as the activation of MMCV's and MMDetection's layers.

    In their configs: ``act_cfg=dict(type='mmsnn.SpikingActivation', num_steps=1,
    neuron=dict(type='ILIF'))``. Time is folded into the batch, ``[T * N, C, H, W]``.

    Args:
        num_steps: Number of time steps T.
        neuron: Neuron config, see :func:`mmsnn.models.neurons.build_neuron`.
        inplace: Ignored; ``ConvModule`` passes it to activations.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range.
    """

    def __init__(
        self, num_steps: int, neuron: Mapping[str, Any], inplace: bool = False
    ) -> None:
        super().__init__()
        self.neuron = build_neuron(neuron, num_steps)

    def forward(self, x: Tensor) -> Tensor:
        """Return the spikes for given currents."""
        return self.neuron(x)


__all__ = [
    'IF_NEURON',
    'SpikingActivation',
    'are_whole',
    'check_spikes',
    'fold_steps',
    'spike_first',
]
