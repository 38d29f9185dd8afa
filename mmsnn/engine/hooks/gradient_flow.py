"""Hook that logs the gradient norms of a network during training."""

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
    """Logs the gradient norm after each residual block, every ``interval`` iterations.

    ``gradient_norm/NAME`` is the L2 norm of the gradient of the loss with respect to
    the output of a block, over the images of one iteration and all time steps.
    ``gradient_norm/gain`` is the growth of the gradients over blocks of the same size
    (see :class:`mmsnn.analysis.Gradients`). Both are in the visualisation backends;
    ``gradient_norm`` in the log is the geometric mean over the blocks. With loss
    scaling for fp16, norms are those of the unscaled loss; with gradient accumulation,
    those of one iteration. In a config::

        custom_hooks = [dict(type='mmsnn.GradientFlowHook', interval=500)]
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

    key: ClassVar[str] = 'gradient_norm'

    def __init__(self, interval: int = 500) -> None:
        super().__init__(interval)
        self._loss_scale = 1.0

    def make_collector(self, model: nn.Module) -> 'GradientFlow':
        """Return a collector of the model's gradients."""
        # imported lazily, because the import is slow
        from mmsnn.analysis.gradients.gradient_flow import GradientFlow

        return GradientFlow(model)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: DATA_BATCH = None
    ) -> None:
        """Enter the collector at the interval, and keep the current loss scale."""
        super().before_train_iter(runner, batch_idx, data_batch)
        if self._collector is not None:
            # the scale may change after the iteration
            scaler = getattr(runner.optim_wrapper, 'loss_scaler', None)
            self._loss_scale = 1.0 if scaler is None else scaler.get_scale()

    def scalars(self, collector: 'GradientFlow') -> tuple[float, Mapping[str, float]]:
        """Return the mean gradient norm, and the norms and the gain by name."""
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
    """Return the geometric mean; 0 if a norm is zero, NaN if there are none."""
    if not norms:
        return math.nan
    if 0 in norms:
        return 0.0
    return math.exp(sum(map(math.log, norms)) / len(norms))
