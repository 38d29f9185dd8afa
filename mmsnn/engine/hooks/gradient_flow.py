"""Norms of a network's gradients in training, in the run's log."""

import math
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, ClassVar

from mmengine.hooks.hook import DATA_BATCH
from mmengine.runner import Runner
from torch import nn

from mmsnn.registry import HOOKS

from .collect import CollectHook

if TYPE_CHECKING:
    from mmsnn.analysis.gradients.gradient_flow import GradientFlow


@HOOKS.register_module()
class GradientFlowHook(CollectHook):
    """Logs the gradient behind each residual block, every ``interval`` iterations.

    ``gradient_norm/NAME`` is the L2 norm of the loss's gradient by what a block passes
    on, over the images of one iteration and all steps, and ``gradient_norm/gain`` how
    much gradients grow through blocks that keep the size (see
    :class:`mmsnn.analysis.Gradients`); both are in the visualisation
    backends. ``gradient_norm``, the geometric mean over the blocks, is in the log.
    Where the loss is scaled for fp16, norms are those of the loss itself; where
    gradients are accumulated over iterations, of an iteration's share. In a config::

        custom_hooks = [dict(type='mmsnn.GradientFlowHook', interval=500)]
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

    key: ClassVar[str] = 'gradient_norm'

    def __init__(self, interval: int = 500) -> None:
        super().__init__(interval)
        self._loss_scale = 1.0

    def make_collector(self, model: nn.Module) -> 'GradientFlow':
        """See :class:`CollectHook`."""
        # nobody else is to wait for the import
        from mmsnn.analysis.gradients.gradient_flow import GradientFlow

        return GradientFlow(model)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: DATA_BATCH = None
    ) -> None:
        """See :class:`CollectHook`; note how the loss is going to be scaled."""
        super().before_train_iter(runner, batch_idx, data_batch)
        if self._collector is not None:
            # after the iteration it may be another
            scaler = getattr(runner.optim_wrapper, 'loss_scaler', None)
            self._loss_scale = 1.0 if scaler is None else scaler.get_scale()

    def scalars(self, collector: 'GradientFlow') -> tuple[float, Mapping[str, float]]:
        """See :class:`CollectHook`."""
        gradients = collector.result()
        norms = {
            block.name: block.norm / self._loss_scale
            for block in gradients.blocks
            if block.norm is not None
        }
        curves = dict(norms)
        if gradients.gain is not None:
            curves['gain'] = gradients.gain
        return geometric_mean(norms.values()), curves


def geometric_mean(norms: Collection[float]) -> float:
    """Return the geometric mean, 0 if one is zero, NaN of nothing."""
    if not norms:
        return math.nan
    if 0 in norms:
        return 0.0
    return math.exp(sum(map(math.log, norms)) / len(norms))
