"""Parts of a network: neurons, residual blocks, named parts, and the input batch."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmsnn.models.backbones.base import SpikingBackbone
from mmsnn.models.decoders import BaseDecoder
from mmsnn.models.layers import are_whole
from mmsnn.models.neurons import BaseNeuron, current_steps
from mmsnn.models.residual import ResidualBlock
from mmsnn.models.residual.merges import Merge
from mmsnn.models.stems import BaseStem
from mmsnn.utils.errors import UserError


def named_neurons(model: nn.Module) -> list[tuple[str, BaseNeuron]]:
    """Return the layers of spiking neurons with their names, in the model's order.

    Raises:
        ValueError: If the model has no spiking neurons.
    """
    neurons = [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, BaseNeuron)
    ]
    if not neurons:
        raise ValueError(
            f'{type(model).__name__} has no spiking neurons (modules derived from '
            'mmsnn.models.neurons.BaseNeuron): it is not a spiking network'
        )
    return neurons


def refuse_single_values(model: nn.Module) -> None:
    """Make batch norms raise a clear error if a batch has one value per channel.

    A single value has no variance, and PyTorch's own error does not name the layer or a
    remedy. When the model is called, norms in training mode raise
    :class:`~mmsnn.utils.errors.UserError`, which is a ValueError.
    """

    def check(name: str, norm: nn.Module, args: tuple[Tensor, ...]) -> None:
        shape = args[0].shape
        if norm.training and args[0].numel() == shape[1]:
            raise UserError(
                f'norm {name!r} takes the statistics of each batch, but has one value '
                f'per channel, of shape {list(shape)}: take at least 2 images per '
                'batch (--batch-size, --num-images) or larger ones'
            )

    for name, module in model.named_modules():
        if isinstance(module, _BatchNorm):
            module.register_forward_pre_hook(partial(check, name))


def use_batch_stats(model: nn.Module) -> None:
    """Make batch norms use batch statistics and keep their running statistics."""
    refuse_single_values(model)
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.train()
            module.momentum = 0.0


def named_blocks(model: nn.Module) -> list[tuple[str, ResidualBlock]]:
    """Return the residual blocks with their names, in the model's order."""
    return [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, ResidualBlock)
    ]


def find_parts(model: nn.Module) -> dict[str, str]:
    """Return the part of the model that contains each module.

    Parts are ``'encoder'`` (the stem of a spiking backbone), ``'backbone'`` (the rest
    of it, or a backbone without spikes), ``'decoder'`` (spike decoders), and, for all
    other modules, the name of the model's child that contains them: ``'neck'``,
    ``'bbox_head'``, ...

    Args:
        model: A detector, a classifier or a bare backbone.

    Returns:
        The part of each name in ``model.named_modules()``.
    """
    parts: dict[str, str] = {'': 'model'}
    for name, module in model.named_modules():
        parent = name.rpartition('.')[0]
        if isinstance(module, SpikingBackbone):
            parts[name] = 'backbone'
            parts[f'{name}.stem' if name else 'stem'] = 'encoder'
        elif isinstance(module, BaseDecoder):
            parts[name] = 'decoder'
        elif name and name not in parts:
            parts[name] = parts[parent] if parent or parts[''] != 'model' else name
    return parts


def find_batch(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Tensor:
    """Return the batch of images of a model's call, its first 4D or 5D tensor.

    Raises:
        ValueError: If the model is not called with a batch of images.
    """
    for value in (*args, *kwargs.values()):
        if isinstance(value, Tensor) and value.dim() in (4, 5) and len(value):
            return value
    raise ValueError(
        'the model must be called with a batch of images [N, C, H, W] or of frames '
        '[N, T, C, H, W], but got none'
    )


def steps_and_images(x: Tensor, num_steps: int) -> Tensor:
    """Return the input or output of neurons as ``[T, N, ...]``, detached.

    Args:
        x: ``[T * N, ...]``, or ``[T, N, C, H, W]`` in stems.
        num_steps: Number of time steps T; in a stream, those of the call are used.
    """
    x, num_steps = x.detach(), current_steps(num_steps)
    if x.dim() == 5 and len(x) == num_steps:
        return x
    return x.unflatten(0, (num_steps, -1))


def spike_unit(model: nn.Module) -> float:
    """Return the value that stands for one spike in a model.

    It is 1, or that of normalised integer neurons if all neurons have the same.
    """
    units = {m.spike_unit for m in model.modules() if isinstance(m, BaseNeuron)}
    return units.pop() if len(units) == 1 else 1.0


def in_spikes(x: Tensor, unit: float) -> Tensor:
    """Return values as numbers of spikes; unchanged if they are not multiples of one.

    Args:
        x: Any tensor.
        unit: Value that stands for one spike.
    """
    if unit == 1:
        return x
    numbers = x / unit
    return numbers.round() if are_whole(numbers) else x


def spiking_only(model: nn.Module) -> list[str]:
    """Return the names of the modules that a network without spikes does not have."""
    parts = find_parts(model)
    names = [name for name, part in parts.items() if part == 'decoder']
    for name, module in model.named_modules():
        if isinstance(module, BaseStem):
            names += [f'{name}.{part}' for part in module.attention_parts]
    return names


def is_projection(name: str) -> bool:
    """Return whether a layer is on a shortcut, in mmsnn's or another ResNet."""
    return any(part in ('projection', 'downsample') for part in name.split('.'))


def has_weights(module: nn.Module) -> bool:
    """Return whether a module other than a neuron or merge has weights of its own."""
    if isinstance(module, (BaseNeuron, Merge)):
        return False
    return any(parameter.dim() > 1 for parameter in module.parameters(recurse=False))


__all__ = [
    'find_batch',
    'find_parts',
    'has_weights',
    'in_spikes',
    'is_projection',
    'named_blocks',
    'named_neurons',
    'refuse_single_values',
    'spike_unit',
    'spiking_only',
    'steps_and_images',
    'use_batch_stats',
]
