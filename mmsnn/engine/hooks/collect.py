"""Base class of hooks that measure single training iterations with a collector."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.hooks.hook import DATA_BATCH
from mmengine.runner import Runner
from torch import nn

from mmsnn.utils import check_positive_int
from mmsnn.utils.errors import UserError

if TYPE_CHECKING:
    from mmsnn.analysis.collector import Collector


class CollectHook(Hook):
    """Measures the model in every ``interval``-th training iteration, and logs it.

    Derived classes define the collector and the logged numbers. One number is written
    to the run's log as ``key`` and repeated until the next measurement; the others
    are curves ``key/...`` in the visualisation backends (TensorBoard,
    ``scalars.json``) at the measured iteration.

    Between measurements, no hooks are registered on the model. In distributed training,
    the main process measures its own share of the batch. If an iteration fails or is
    interrupted, the collector is removed from the model at the Runner's next iteration,
    training, validation or test.

    Args:
        interval: Number of training iterations between measurements.

    Attributes:
        key: Name of the logged numbers.

    Raises:
        TypeError: If ``interval`` is not an integer.
        ValueError: If ``interval`` is less than 1, or, before training, if there is
            nothing to measure in the model.
    """

    key: ClassVar[str]

    def __init__(self, interval: int = 500) -> None:
        self.interval = check_positive_int('interval', interval)
        self._collector: Collector | None = None

    def make_collector(self, model: nn.Module) -> 'Collector':
        """Return a collector for ``model``, not yet entered.

        Raises:
            ValueError: If there is nothing to measure in the model.
        """
        raise NotImplementedError(f'{type(self).__name__} defines no collector')

    def scalars(self, collector: Any) -> tuple[float, Mapping[str, float]]:
        """Return the number for the log, and the numbers for the curves by name."""
        raise NotImplementedError(f'{type(self).__name__} defines no scalars')

    def before_train(self, runner: Runner) -> None:
        """Check that there is something to measure in the model.

        Raises:
            UserError: If there is not; it is a ValueError.
        """
        self._let_go()
        try:
            self.make_collector(runner.model)
        except ValueError as error:
            raise UserError(f'{type(self).__name__}: {error}') from error

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: DATA_BATCH = None
    ) -> None:
        """Enter the collector in every ``interval``-th iteration."""
        self._let_go()
        if self.every_n_train_iters(runner, self.interval) and is_main_process():
            self._collector = self.make_collector(runner.model).__enter__()

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: DATA_BATCH = None,
        outputs: dict | None = None,
    ) -> None:
        """Log the measurement if the iteration was measured."""
        collector = self._collector
        if collector is None:
            return
        self._let_go()
        mean, curves = self.scalars(collector)
        runner.message_hub.update_scalar(f'train/{self.key}', mean)
        iteration = runner.iter + 1
        # tools that read scalars.json expect these entries in training
        place = {'iter': iteration}
        if runner.log_processor.by_epoch:
            place = {'epoch': runner.epoch + 1, **place}
        named = {f'{self.key}/{name}': value for name, value in curves.items()}
        runner.visualizer.add_scalars({**named, **place}, step=iteration)

    def after_train(self, runner: Runner) -> None:
        """Exit the collector."""
        self._let_go()

    def before_val_epoch(self, runner: Runner) -> None:
        """Exit the collector after an interruption."""
        self._let_go()

    def before_test_epoch(self, runner: Runner) -> None:
        """Exit the collector after an interruption."""
        self._let_go()

    def _let_go(self) -> None:
        if self._collector is not None:
            self._collector.__exit__(None, None, None)
            self._collector = None
