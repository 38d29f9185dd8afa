"""Hook that logs the estimated energy of a network during training."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from mmengine.runner import Runner
from torch import nn

from mmsnn.registry import HOOKS
from mmsnn.utils.errors import UserError

from .collect import CollectHook

if TYPE_CHECKING:
    from mmsnn.analysis import OperationCounter


@HOOKS.register_module()
class EnergyHook(CollectHook):
    """Logs the estimated energy per image, every ``interval`` training iterations.

    The log has ``energy_pj``, in pJ per image of the training batch. The visualisation
    backends also have ``energy_pj/PART`` for each part of the model, and
    ``energy_pj/macs`` and ``energy_pj/accumulations`` for the whole model. In a
    config::

        custom_hooks = [dict(type='mmsnn.EnergyHook', interval=500)]

    The operations of a training iteration's forward pass are counted, which makes it a
    few times slower; other iterations are not affected. In training, norms use batch
    statistics and a detector's region heads process training proposals: publish the
    numbers of ``tools/analysis_tools/energy.py`` instead.

    Args:
        interval: Number of training iterations between measurements.
        costs: Name of an energy model, see ``mmsnn.analysis.ENERGY_MODELS``, or a dict
            with ``mac_pj``, ``accumulation_pj`` and ``source``.
        rules: Counting rules: a dict of arguments of
            :class:`mmsnn.analysis.CountingRules`.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If the interval is less than 1, or, before training, if the costs or
            the rules are unknown.
    """

    key: ClassVar[str] = 'energy_pj'

    def __init__(
        self,
        interval: int = 500,
        costs: str | Mapping[str, Any] = 'SG',
        rules: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(interval)
        self.costs = costs
        self.rules = dict(rules or {})

    def before_train(self, runner: Runner) -> None:
        """Check the costs and the rules.

        Raises:
            UserError: If they are unknown; it is a ValueError.
        """
        from mmsnn.analysis import CountingRules, EnergyModel
        from mmsnn.analysis.energy.energy_models import find_energy_model

        try:
            self._model = (
                EnergyModel(**{'name': 'given', 'source': 'the config', **self.costs})
                if isinstance(self.costs, Mapping)
                else find_energy_model(self.costs)
            )
            self._rules = CountingRules(**self.rules)
        except (TypeError, ValueError) as error:
            raise UserError(f'EnergyHook: {error}') from error
        super().before_train(runner)

    def make_collector(self, model: nn.Module) -> 'OperationCounter':
        """Return a counter of the model's operations."""
        from mmsnn.analysis import OperationCounter

        return OperationCounter(model)

    def scalars(
        self, collector: 'OperationCounter'
    ) -> tuple[float, Mapping[str, float]]:
        """Return the energy in pJ, and the numbers for the curves by name."""
        from mmsnn.analysis import estimate_energy

        estimate = estimate_energy(collector.result(), self._model, self._rules)
        total = estimate.total
        curves = {part.name: part.energy_pj for part in estimate.parts}
        curves |= {'macs': total.macs, 'accumulations': total.accumulations}
        return total.energy_pj, curves
