"""Hook that adds a loss on the number of accumulations during training."""

from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from mmengine.hooks import Hook
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from mmsnn.models.layers import are_whole
from mmsnn.registry import HOOKS
from mmsnn.utils import check_positive
from mmsnn.utils.model_wrappers import unwrap

if TYPE_CHECKING:
    from mmengine.runner import Runner


class SynapticOperations:
    """Differentiable count of the accumulations of spikes in one call of a model.

    The accumulations are those that :class:`mmsnn.analysis.OperationCounter` counts
    exactly: one per spike and weight applied to it, in the convolutions and linear
    layers after the encoder whose input is spikes. The gradient reaches the neurons.

    Args:
        model: A spiking network.

    Raises:
        ValueError: If the model has no spiking neurons.
    """

    def __init__(self, model: nn.Module) -> None:
        # imported lazily, because the import is slow
        from mmsnn.analysis.model_parts import find_parts, named_neurons, spike_unit

        named_neurons(model)
        parts = find_parts(model)
        self.total: Tensor | None = None
        self._unit = spike_unit(model)
        self._spiking: dict[str, bool] = {}
        self._reach: dict[tuple[str, torch.Size], Tensor | int] = {}
        self.handles: list[RemovableHandle] = [
            module.register_forward_hook(partial(self._add, name))
            for name, module in model.named_modules()
            if isinstance(module, nn.Conv2d | nn.Linear) and parts[name] != 'encoder'
        ]

    def _add(
        self,
        name: str,
        layer: nn.Conv2d | nn.Linear,
        args: tuple[Tensor, ...],
        out: Tensor,
    ) -> None:
        x = args[0]
        if not (layer.training and torch.is_grad_enabled()) or x.numel() == 0:
            return
        unit = self._unit / getattr(layer, 'averaged_steps', 1)
        if name not in self._spiking:
            self._spiking[name] = are_whole(x.detach() / unit)
        if not self._spiking[name]:
            return
        key = (name, x.shape[1:])
        if key not in self._reach:
            self._reach[key] = _reach(layer, x, out)
        reach = self._reach[key]
        if isinstance(reach, Tensor):
            count = (x.sum((0, 1), dtype=torch.float32) * reach.to(x.device)).sum()
        else:
            count = x.sum(dtype=torch.float32) * reach
        count = count / unit
        self.total = count if self.total is None else self.total + count

    def start(self) -> None:
        """Count from 0."""
        self.total = None

    def remove(self) -> None:
        """Remove the hooks."""
        for handle in self.handles:
            handle.remove()
        self.handles.clear()


def _reach(layer: nn.Conv2d | nn.Linear, x: Tensor, out: Tensor) -> Tensor | int:
    """Return the number of additions per spike, at each position for convolutions."""
    from mmsnn.analysis.energy.arithmetic import ARITHMETIC

    if isinstance(layer, nn.Linear):
        return layer.out_features
    window = (layer.stride, layer.padding, layer.dilation, False, None, layer.groups)
    count = ARITHMETIC[torch.ops.aten.convolution]
    arithmetic: Any = count((x.detach(), layer.weight, None, *window), out)
    reach = arithmetic.reach
    return reach if isinstance(reach, int) else reach.float()


@HOOKS.register_module()
class SynapticOperationsLossHook(Hook):
    r"""Adds a loss on the number of accumulations, so that training reduces it.

    .. math::
        L = w \max\Big(0, \frac{n}{n_{target}} - 1\Big)^2

    n is the mean number of accumulations per image in an iteration. It is the synaptic
    operations loss of sinabs (Sorbaro et al. 2020, *Optimizing the energy consumption
    of spiking neural networks for neuromorphic applications*), but is zero below the
    target. It is logged as ``loss_accumulations``, and n as
    ``million_accumulations``. In a config::

        custom_hooks = [dict(type='mmsnn.SynapticOperationsLossHook', target=60e6)]

    A config that inherits other hooks repeats them, since a list is replaced.

    Args:
        target: Number of accumulations per image above which the loss is positive.
        weight: The factor w.

    Raises:
        TypeError: If an argument is not a number.
        ValueError: If an argument is not positive, or, before training, if the model
            has no spiking neurons.
    """

    def __init__(self, target: float, weight: float = 0.1) -> None:
        self.target = check_positive('target', target)
        self.weight = check_positive('weight', weight)
        self._handles: list[RemovableHandle] = []

    def before_train(self, runner: 'Runner') -> None:
        """Register the hooks on the model."""
        model = unwrap(runner.model)
        operations = SynapticOperations(model)
        finish = partial(self._finish, operations)
        self._handles = [
            model.register_forward_pre_hook(lambda *_: operations.start()),
            model.register_forward_hook(finish, with_kwargs=True),
            *operations.handles,
        ]

    def after_train(self, runner: 'Runner') -> None:
        """Remove the hooks from the model."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def _finish(
        self,
        operations: SynapticOperations,
        model: nn.Module,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        out: Any,
    ) -> Any:
        from mmsnn.analysis.model_parts import find_batch

        total = operations.total
        # in the modes 'tensor' and 'predict' there are no losses
        if not isinstance(out, dict) or total is None:
            return None
        number = total / len(find_batch(args, kwargs))
        excess = (number / self.target - 1).clamp(min=0)
        operations.start()
        return {
            **out,
            'loss_accumulations': self.weight * excess.square(),
            'million_accumulations': number.detach() / 1e6,
        }


__all__ = ['SynapticOperations', 'SynapticOperationsLossHook']
