"""What the network would cost, while it trains."""

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
    """Logs the energy of the network's operations for an image, every so often.

    The log has ``energy_pj``, in pJ for an image of the training batch; the
    visualisation backends also have ``energy_pj/PART`` of each part of the model, and
    ``macs`` and ``accumulations`` of all. In a config::

        custom_hooks = [dict(type='mmsnn.EnergyHook', interval=500)]

    Operations are those of a training iteration's forward pass, counted while it runs,
    which takes a few times as long; in between nothing is measured. Norms work on the
    batch then, and a detector's region heads on the proposals of training: numbers to
    publish are those of ``tools/analysis_tools/energy.py``.

    Args:
        interval: Training iterations from one measurement to the next.
        costs: Name of the costs, see ``mmsnn.analysis.ENERGY_MODELS``, or a dict of
            their ``mac_pj``, ``accumulation_pj`` and ``source``.
        rules: What is counted: a dict of :class:`mmsnn.analysis.CountingRules`'s
            arguments.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If the interval is less than 1; before training, if the costs or the
            rules are unknown.
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
        """Check costs and rules.

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
        """See :class:`CollectHook`."""
        from mmsnn.analysis import OperationCounter

        return OperationCounter(model)

    def scalars(
        self, collector: 'OperationCounter'
    ) -> tuple[float, Mapping[str, float]]:
        """See :class:`CollectHook`."""
        from mmsnn.analysis import estimate_energy

        estimate = estimate_energy(collector.result(), self._model, self._rules)
        total = estimate.total
        curves = {part.name: part.energy_pj for part in estimate.parts}
        curves |= {'macs': total.macs, 'accumulations': total.accumulations}
        return total.energy_pj, curves
