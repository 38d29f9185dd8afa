"""Firing rates of a network in training, in the run's log."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from torch import nn

from mmsnn.registry import HOOKS

from .collect import CollectHook

if TYPE_CHECKING:
    from mmsnn.analysis.firing.firing_rates import FiringRates


@HOOKS.register_module()
class FiringRateHook(CollectHook):
    """Logs how often neurons fire, every ``interval`` training iterations.

    Rates are spikes a neuron and step, in the training mode, over the images of one
    iteration. ``firing_rate`` is of all neurons and in the log; ``firing_rate/NAME`` is
    of one layer and in the visualisation backends. In a config::

        custom_hooks = [dict(type='mmsnn.FiringRateHook', interval=500)]
        visualizer = dict(vis_backends=[
            dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')])

    See :class:`CollectHook`.

    Args:
        interval: Training iterations from one measurement to the next.

    Raises:
        TypeError: If ``interval`` is no integer.
        ValueError: If it is less than 1; before training, if the model has no spiking
            neurons.
    """

    key: ClassVar[str] = 'firing_rate'

    def make_collector(self, model: nn.Module) -> 'FiringRates':
        """See :class:`CollectHook`."""
        # nobody else is to wait for the import
        from mmsnn.analysis.firing.firing_rates import FiringRates

        return FiringRates(model)

    def scalars(self, collector: 'FiringRates') -> tuple[float, Mapping[str, float]]:
        """See :class:`CollectHook`."""
        firing = collector.result()
        return firing.firing_rate, {
            layer.name: layer.firing_rate for layer in firing.neurons
        }
