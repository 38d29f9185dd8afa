"""Expand integer spikes to binary slots, for inference on binary spikes."""

from copy import deepcopy

from torch import Tensor, nn

from mmsnn.models.layers import are_whole
from mmsnn.models.neurons import BaseNeuron
from mmsnn.models.stems import BaseStem

from .inference_only import InferenceOnly, check_network


class BinarySlots(InferenceOnly):
    r"""A convolution or linear layer that takes each integer as binary slots.

    .. math::
        y = b + u \sum_{d=1}^{K} W s_d, \qquad s_d = [c \ge d], \quad
        \sum_d s_d = c = x / u

    (Luo et al. 2024, SpikeYOLO, Eqs. 10 to 12.) The bias is added once, after the sum.
    The number of slots K is the largest integer of the input: D, or more after a sum of
    spikes. An input with other values is analog and passed to the layer unchanged.

    Args:
        layer: The layer; it is not changed.
        unit: Value u that stands for one spike in the input.

    Shape:
        That of the layer.
    """

    inference_name = 'binary slots'

    def __init__(self, layer: nn.Conv2d | nn.Linear, unit: float) -> None:
        super().__init__()
        self.layer = layer
        self.unit = unit
        self.bias = layer.bias
        layer.bias = None
        # the layer's own input is binary and not divided
        if hasattr(layer, 'averaged_steps'):
            del layer.averaged_steps

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's output."""
        numbers = x if self.unit == 1 else x / self.unit
        whole = numbers.round()
        if not are_whole(numbers) or whole.lt(0).any():
            y = self.layer(x)
        else:
            slots = range(1, max(1, int(whole.amax())) + 1) if x.numel() else (1,)
            y = sum(self.layer((whole >= d).to(x.dtype)) for d in slots)
            y = y if self.unit == 1 else y * self.unit
        if self.bias is None:
            return y
        is_linear = isinstance(self.layer, nn.Linear)
        return y + (self.bias if is_linear else self.bias[:, None, None])


def expand_integer_spikes(model: nn.Module) -> nn.Module:
    """Return a copy for inference in which integer spikes are binary slots.

    Integer neurons (:class:`mmsnn.models.neurons.ILIF`) are trained with an integer c
    per time step. In the copy, each convolution and linear layer after the encoder
    whose input is integers takes c as c ones in D binary slots, and its results are
    summed, see :class:`BinarySlots`. The neurons' state, norms and everything that is
    not linear run once per time step, after the sum. Normalised integers and firing
    rates before a head's last layer are slots times a constant that multiplies the sum.

    The outputs are equal except for the order of additions: in fp64 the spikes are the
    same, in fp32 the detections.

    Args:
        model: A network with integer neurons; it is not changed.

    Returns:
        A copy in evaluation mode.

    Raises:
        TypeError: If ``model`` is not a module, or wraps one for distributed training.
        ValueError: If the model has no integer neurons, or neurons with different
            values for one spike.
    """
    check_network('expand_integer_spikes', model)
    neurons = [m for m in model.modules() if isinstance(m, BaseNeuron)]
    if all(neuron.max_value == 1 for neuron in neurons):
        raise ValueError(
            'expand_integer_spikes needs neurons with integer spikes, such as ILIF, '
            f'but {type(model).__name__} has none'
        )
    units = {neuron.spike_unit for neuron in neurons}
    if len(units) > 1:
        raise ValueError(
            f'all neurons must have the same value for one spike, but got {units}'
        )
    expanded = deepcopy(model)
    expanded.eval()
    encoders = [n for n, m in expanded.named_modules() if isinstance(m, BaseStem)]
    layers = {
        name: module
        for name, module in expanded.named_modules(remove_duplicate=False)
        if isinstance(module, nn.Conv2d | nn.Linear)
        and not any(name.startswith(f'{encoder}.') for encoder in encoders)
    }
    (unit,) = units
    slots = {
        layer: BinarySlots(layer, unit / getattr(layer, 'averaged_steps', 1)).eval()
        for layer in set(layers.values())
    }
    for name, layer in layers.items():
        expanded.set_submodule(name, slots[layer])
    return expanded


__all__ = ['BinarySlots', 'expand_integer_spikes']
