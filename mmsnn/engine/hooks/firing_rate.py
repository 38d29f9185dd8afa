"""Hook that logs the firing rates of a network during training."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from torch import nn

from mmsnn.registry import HOOKS

from .collect import CollectHook

if TYPE_CHECKING:
    from mmsnn.analysis.firing.firing_rates import FiringRates


@HOOKS.register_module()
class FiringRateHook(CollectHook):
    """Logs firing rates, every ``interval`` training iterations.

    Rates are spikes per neuron per time step in training mode, over the images of one
    iteration. The log has ``firing_rate`` of all neurons; the visualisation backends
    have ``firing_rate/NAME`` of each layer. In a config::

        custom_hooks = [dict(type='mmsnn.FiringRateHook', interval=500)]
        visualizer = dict(vis_backends=[
            dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')])

    See :class:`CollectHook`.

    Args:
        interval: Number of training iterations between measurements.

    Raises:
        TypeError: If ``interval`` is not an integer.
        ValueError: If ``interval`` is less than 1, or, before training, if the model
            has no spiking neurons.
    """

    key: ClassVar[str] = 'firing_rate'

    def make_collector(self, model: nn.Module) -> 'FiringRates':
        """Return a collector of the model's firing rates."""
        # imported lazily, because the import is slow
        from mmsnn.analysis.firing.firing_rates import FiringRates

        return FiringRates(model)

    def scalars(self, collector: 'FiringRates') -> tuple[float, Mapping[str, float]]:
        """Return the firing rate of all neurons, and of each layer by name."""
        firing = collector.result()
        return firing.firing_rate, {
            layer.name: layer.firing_rate for layer in firing.neurons
        }
