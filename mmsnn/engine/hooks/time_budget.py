"""Hook that trains for a given time, whatever the speed of the machine."""

import math
import time

from mmengine.hooks import Hook
from mmengine.hooks.hook import DATA_BATCH
from mmengine.runner import IterBasedTrainLoop, Runner

from mmsnn.registry import HOOKS
from mmsnn.utils import check_positive
from mmsnn.utils.errors import UserError

_WARM_UP = 50
_FIRST_FACTOR = 0.01


@HOOKS.register_module()
class TimeBudgetHook(Hook):
    """Ends training after a given time, with a learning rate that has decayed by then.

    With the elapsed share p of the time, the learning rate of iteration i (from 0) is

        lr = base * min(1, 0.01 + 0.99 i / 50) * (0.01 + 0.99 (1 + cos(pi p)) / 2)

    a warm-up of 50 iterations and a cosine over the time. The number of iterations is
    estimated from the measured speed in every iteration, so that logs state the
    remaining time, and other hooks, such as MMEngine's CheckpointHook, recognise the
    last iteration. Results depend on the speed and are not reproduced exactly by
    another run. In resumed training, the time starts again.

    In a config with an ``IterBasedTrainLoop``, whose ``max_iters`` has no effect, and
    without ``param_scheduler``::

        custom_hooks = [dict(type='mmsnn.TimeBudgetHook', minutes=10.0)]

    Args:
        minutes: Time from the first iteration, without the final evaluation.

    Raises:
        TypeError: If ``minutes`` is not a number.
        ValueError: If ``minutes`` is not positive, or, before training, if the loop is
            based on epochs or there is a ``param_scheduler``.
    """

    # before hooks that ask whether an iteration is the last
    priority = 'HIGH'

    def __init__(self, minutes: float) -> None:
        self.minutes = check_positive('minutes', minutes)
        self._base: list[float] = []
        self._start = 0.0

    @property
    def elapsed(self) -> float:
        """Seconds since the first iteration."""
        return time.monotonic() - self._start

    @property
    def progress(self) -> float:
        """Elapsed share of the time, 0 to 1."""
        return min(1.0, self.elapsed / (60 * self.minutes))

    def before_train(self, runner: Runner) -> None:
        """Start the clock.

        Raises:
            UserError: If the loop or the schedule is of another kind; it is a
                ValueError.
        """
        if not isinstance(runner.train_loop, IterBasedTrainLoop):
            raise UserError(
                'TimeBudgetHook needs an IterBasedTrainLoop, but got '
                f'{type(runner.train_loop).__name__}'
            )
        if runner.param_schedulers:
            raise UserError('TimeBudgetHook and param_scheduler exclude each other')
        # saved with the optimizer, so that resumed training has the same base
        groups = runner.optim_wrapper.param_groups
        self._base = [group.setdefault('initial_lr', group['lr']) for group in groups]
        self._start = time.monotonic()

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: DATA_BATCH = None
    ) -> None:
        """Set the learning rate."""
        warm = min(1.0, _FIRST_FACTOR + (1 - _FIRST_FACTOR) * runner.iter / _WARM_UP)
        decay = (1 + math.cos(math.pi * self.progress)) / 2
        factor = warm * (_FIRST_FACTOR + (1 - _FIRST_FACTOR) * decay)
        groups = runner.optim_wrapper.param_groups
        for group, base in zip(groups, self._base, strict=True):
            group['lr'] = factor * base

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: DATA_BATCH = None,
        outputs: dict | None = None,
    ) -> None:
        """Estimate the number of iterations."""
        done = runner.iter + 1
        left = 60 * self.minutes - self.elapsed
        more = max(0, round(left * done / self.elapsed))
        # MMEngine has no setter
        runner.train_loop._max_iters = done + more
