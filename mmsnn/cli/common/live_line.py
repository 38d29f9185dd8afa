"""Progress line of a training run."""

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from mmsnn.engine.hooks import TimeBudgetHook

_TENTHS = 10
_SMOOTHING = 0.05


class LiveLine(Hook):
    """Shows epoch, loss and remaining time of a run with a time budget, on stderr.

    In a terminal, the line is updated; otherwise, a line is printed for each tenth of
    the time.

    Args:
        budget: The hook that ends the run.
        epoch_length: Iterations per epoch.
    """

    priority = 'LOW'

    def __init__(self, budget: TimeBudgetHook, epoch_length: float) -> None:
        self.budget = budget
        self.epoch_length = epoch_length
        self._console = Console(stderr=True)
        self._loss: float | None = None
        self._tenths = 0
        self._bar = Progress(
            TextColumn('Training: {task.description}'),
            BarColumn(),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )

    def before_train(self, runner: Runner) -> None:
        """Show the line."""
        self._bar.start()
        self._task = self._bar.add_task('', total=60 * self.budget.minutes)

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict[str, Any] | None = None,
    ) -> None:
        """Update the line."""
        loss = (outputs or {})['loss'].item()
        if self._loss is not None:
            loss = self._loss + _SMOOTHING * (loss - self._loss)
        self._loss = loss
        epoch = (runner.iter + 1) / self.epoch_length
        epochs = runner.max_iters / self.epoch_length
        text = f'epoch {epoch:.1f} of about {epochs:.1f}, loss {loss:.3f}'
        self._bar.update(self._task, completed=self.budget.elapsed, description=text)
        tenths = int(self.budget.progress * _TENTHS)
        if tenths > self._tenths and not self._console.is_terminal:
            left = max(0.0, 60 * self.budget.minutes - self.budget.elapsed)
            self._console.print(f'Training: {text}, {left:.0f} s left')
        self._tenths = tenths

    def after_train(self, runner: Runner) -> None:
        """Remove the line."""
        self._bar.stop()
