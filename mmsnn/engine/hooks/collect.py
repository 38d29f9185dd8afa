"""A hook that measures single training iterations with a collector."""

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
    """Watches the model in every ``interval``-th training iteration, and logs it.

    Derived classes say what is collected, and which numbers it comes to. One of them
    goes to the run's log under the name :attr:`key`, where it stands until the next
    one; all others are curves ``key/...`` of the visualisation backends (TensorBoard,
    ``scalars.json``) at the iteration that they are of.

    In between nothing is registered on the model, and nothing is kept. Where several
    processes train, the first measures its own share of the batch. When an iteration
    fails or is interrupted, the model is let go by the Runner's next iteration,
    training, validation or test.

    Args:
        interval: Training iterations from one measurement to the next.

    Attributes:
        key: Name of the numbers.

    Raises:
        TypeError: If ``interval`` is no integer.
        ValueError: If it is less than 1; before training, if the model has nothing to
            measure.
    """

    key: ClassVar[str]

    def __init__(self, interval: int = 500) -> None:
        self.interval = check_positive_int('interval', interval)
        self._collector: Collector | None = None

    def make_collector(self, model: nn.Module) -> 'Collector':
        """Return a collector of ``model``, not yet entered.

        Raises:
            ValueError: If the model has nothing to measure.
        """
        raise NotImplementedError(f'{type(self).__name__} defines no collector')

    def scalars(self, collector: Any) -> tuple[float, Mapping[str, float]]:
        """Return the number for the log, and those for curves by name."""
        raise NotImplementedError(f'{type(self).__name__} defines no scalars')

    def before_train(self, runner: Runner) -> None:
        """Check that there is something to measure.

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
        """Start to watch, if it is time."""
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
        """Log what was seen, if it was watched."""
        collector = self._collector
        if collector is None:
            return
        self._let_go()
        mean, curves = self.scalars(collector)
        runner.message_hub.update_scalar(f'train/{self.key}', mean)
        iteration = runner.iter + 1
        # the entries that tools which read scalars.json look for in a training's
        place = {'iter': iteration}
        if runner.log_processor.by_epoch:
            place = {'epoch': runner.epoch + 1, **place}
        named = {f'{self.key}/{name}': value for name, value in curves.items()}
        runner.visualizer.add_scalars({**named, **place}, step=iteration)

    def after_train(self, runner: Runner) -> None:
        """Let the model go."""
        self._let_go()

    def before_val_epoch(self, runner: Runner) -> None:
        """Let the model go after an interruption."""
        self._let_go()

    def before_test_epoch(self, runner: Runner) -> None:
        """Let the model go after an interruption."""
        self._let_go()

    def _let_go(self) -> None:
        if self._collector is not None:
            self._collector.__exit__(None, None, None)
            self._collector = None
