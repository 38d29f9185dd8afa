"""Spiking backbones with int8 weights and integer sums, for inference."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass

import torch
from mmcv.cnn.bricks import wrappers
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmsnn.deploy.int8_layers import LARGEST_SUM, SpikePool, SpikingConv2d
from mmsnn.models.backbones import SpikingBackbone
from mmsnn.models.layers import Unit
from mmsnn.models.neurons import BaseNeuron
from mmsnn.models.residual import Merge

from .inference_only import check_network

# no subclasses, since some transform their weights
_CONVS = (nn.Conv2d, wrappers.Conv2d)
_PROBE_SIZE = 128
_PASSES_ON = (Merge, nn.Identity, nn.Sequential)
"""Modules whose output for spikes is spikes, other than max-pools and neurons."""


@dataclass(frozen=True)
class Int8Report:
    """Report of :func:`quantize_int8`.

    Args:
        converted: Names of the convolutions with int8 weights, and their largest input:
            1 for spikes, more for sums of spikes.
        kept: Names of the other convolutions in the backbones, and the reason.
        bytes_before: Bytes of the original weights of the converted convolutions.
        bytes_after: Bytes of their int8 weights and scales.
    """

    converted: Mapping[str, int]
    kept: Mapping[str, str]
    bytes_before: int
    bytes_after: int

    def __str__(self) -> str:
        """Return a summary, and one line for each convolution that is kept."""
        lines = [
            f'{len(self.converted)} convolutions have int8 weights: '
            f'{self.bytes_before:,} bytes before, {self.bytes_after:,} now'
        ]
        lines += [f'{name} stays in fp32: {why}' for name, why in self.kept.items()]
        return '\n'.join(lines)


@torch.no_grad()
def quantize_int8(model: nn.Module) -> tuple[nn.Module, Int8Report]:
    """Return a copy for inference, with int8 weights in convolutions of spikes.

    Spikes and their sums are exact in uint8, so only the weights are rounded, see
    :class:`mmsnn.deploy.int8_layers.SpikingConv2d`. Inside the backbones spikes are
    uint8. The outputs of a backbone stay in fp32, as do all layers whose input is not
    spikes: the encoder, projections of analog values, decoders, necks and heads.

    The convolutions whose input is spikes are found by a forward pass in which every
    neuron fires at every time step, which also gives the largest sums of spikes.

    Loading a checkpoint of the model into the copy raises an error. To load the weights
    of a copy, build the model, fold its norms, quantise it, and load them. Use the
    collectors of :mod:`mmsnn.analysis` with the model, not with its copy.

    Args:
        model: A spiking backbone, or a detector or classifier that contains some, in
            evaluation mode, in fp32, with norms folded into the convolutions. It is not
            changed.

    Returns:
        The copy, and a report of the convolutions that are converted and kept.

    Raises:
        TypeError: If ``model`` is not a module or wraps one for distributed training,
            or a backbone is not in fp32.
        ValueError: If there is no spiking backbone, one is in training mode or
            quantised already, a batch norm follows a convolution, neurons divide their
            integers, weights are not finite, or sums of spikes exceed
            :data:`mmsnn.deploy.int8_layers.LARGEST_SUM`.
    """
    check_network('quantize_int8', model)
    quantized = deepcopy(model)
    backbones = {
        f'{name}.' if name else '': module
        for name, module in quantized.named_modules()
        if isinstance(module, SpikingBackbone)
    }
    if not backbones:
        raise ValueError(
            'quantize_int8 needs a spiking backbone of mmsnn, but '
            f'{type(model).__name__} has none'
        )
    converted: dict[str, int] = {}
    kept: dict[str, str] = {}
    before = after = 0
    for prefix, backbone in backbones.items():
        _check(backbone)
        sums = _largest_sums(backbone)
        for name, why in _reasons(backbone, sums).items():
            if why:
                kept[prefix + name] = why
                continue
            old = backbone.get_submodule(name)
            new = SpikingConv2d(old)
            before += old.weight.nbytes
            after += new.weight.nbytes + new.scale.nbytes
            backbone.set_submodule(name, new)
            converted[prefix + name] = max(1, sums.pop(name))
        _use_bytes(backbone, sums)
    return quantized, Int8Report(converted, kept, before, after)


def _check(backbone: SpikingBackbone) -> None:
    """Raise if :func:`quantize_int8` cannot convert a backbone."""
    if backbone.training:
        raise ValueError('quantize_int8 is for inference: call eval() on the model')
    if any(isinstance(module, SpikingConv2d) for module in backbone.modules()):
        raise ValueError('the model has int8 weights already')
    for name, tensor in [*backbone.named_parameters(), *backbone.named_buffers()]:
        if tensor.is_floating_point() and tensor.dtype != torch.float32:
            raise TypeError(f'the model must be in fp32, but {name} is {tensor.dtype}')
    for name, neuron in backbone.named_modules():
        if isinstance(neuron, BaseNeuron) and neuron.spike_unit != 1:
            raise ValueError(
                f'{name} divides its integers (normalize=True), but spikes in bytes '
                'are integers: train with normalize=False'
            )
    for name, unit in backbone.named_modules():
        follows = isinstance(unit, Unit) and 'CN' in unit.order
        # the norm after a chain of convolutions cannot be folded
        follows = follows and isinstance(unit.conv, nn.Conv2d)
        if follows and isinstance(getattr(unit, 'norm', None), _BatchNorm):
            raise ValueError(
                f'{name} has a norm after its convolution: call fold_norms first'
            )


def _largest_sums(backbone: SpikingBackbone) -> dict[str, int]:
    """Return the leaf modules whose input is only spikes, with their largest sums.

    In a copy, spikes are marked by their dtype: neurons return int32 ones. Sums and
    concatenations of spikes keep the dtype, arithmetic with real numbers does not.
    """
    twin = deepcopy(backbone)
    found: dict[str, int] = {}
    analog: set[str] = set()

    def watch(name: str, leaf: nn.Module) -> None:
        def before(_: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            if args[0].is_floating_point():
                analog.add(name)
            else:
                found[name] = max(found.get(name, 0), int(args[0].max()))
            return (args[0].float(), *args[1:])

        def after(_: nn.Module, args: tuple[Tensor, ...], out: Tensor) -> Tensor:
            if isinstance(leaf, BaseNeuron):
                return torch.full_like(out, leaf.max_value, dtype=torch.int32)
            return out if name in analog else out.to(torch.int32)

        leaf.register_forward_pre_hook(before)
        if isinstance(leaf, BaseNeuron | nn.MaxPool2d):
            leaf.register_forward_hook(after)

    for name, module in twin.named_modules():
        if not (any(module.children()) or isinstance(module, _PASSES_ON)):
            watch(name, module)
    first = next(backbone.parameters())
    channels = backbone.stem.in_channels
    outs = twin(first.new_zeros(1, channels, _PROBE_SIZE, _PROBE_SIZE))
    leaving = [int(out.max()) for out in outs if not out.is_floating_point()]
    largest = max([*found.values(), *leaving], default=0)
    if largest > LARGEST_SUM:
        raise ValueError(
            f'int8 weights allow sums of at most {LARGEST_SUM} spikes, but up to '
            f'{largest} are summed'
        )
    return {name: largest for name, largest in found.items() if name not in analog}


def _reasons(backbone: SpikingBackbone, sums: Mapping[str, int]) -> dict[str, str]:
    """Return why each convolution is kept, an empty string if it is converted."""
    reasons = {}
    for name, module in backbone.named_modules():
        if not isinstance(module, nn.Conv2d):
            continue
        if name not in sums:
            reasons[name] = 'its input is not spikes'
        elif type(module) not in _CONVS:
            reasons[name] = f'{type(module).__name__} is not a plain Conv2d'
        elif module.padding_mode != 'zeros' or isinstance(module.padding, str):
            reasons[name] = f'padding {module.padding_mode!r}, {module.padding!r}'
        else:
            reasons[name] = ''
    return reasons


def _use_bytes(backbone: SpikingBackbone, sums: Mapping[str, int]) -> None:
    """Make neurons return uint8, and the modules that ``sums`` names accept it."""
    for name in sums:
        module = backbone.get_submodule(name)
        if isinstance(module, nn.MaxPool2d):
            module.__class__ = SpikePool
        else:
            module.register_forward_pre_hook(_take_bytes)
    for module in backbone.modules():
        if isinstance(module, BaseNeuron):
            module.in_bytes = True
            if type(module).forward is not BaseNeuron.forward:
                # an overridden forward may ignore in_bytes
                module.register_forward_hook(_return_bytes)
    backbone.register_forward_hook(_return_floats)


def _take_bytes(_: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Forward pre-hook of modules that take only fp32."""
    return (args[0].float(), *args[1:])


def _return_bytes(_: nn.Module, args: tuple[Tensor, ...], spikes: Tensor) -> Tensor:
    """Forward hook of neurons that may return floats."""
    return spikes.to(torch.uint8)


def _return_floats(
    _: nn.Module, args: tuple[Tensor, ...], outs: tuple[Tensor, ...]
) -> tuple[Tensor, ...]:
    """Forward hook of a backbone, whose outputs are in fp32."""
    return tuple(out.float() for out in outs)
