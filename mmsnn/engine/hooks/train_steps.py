"""Hook for training with fewer time steps than testing."""

from typing import Any

from mmengine.hooks import Hook
from mmengine.hooks.hook import DATA_BATCH
from mmengine.runner import Runner
from torch import nn

from mmsnn.registry import HOOKS
from mmsnn.utils import check_positive_int
from mmsnn.utils.errors import UserError
from mmsnn.utils.model_wrappers import unwrap


@HOOKS.register_module()
class TrainStepsHook(Hook):
    """Trains a network with fewer time steps than it is tested with.

    Random temporal delete trains with T_train = 12 of T = 16 slices and tests with all
    of them (Fang et al. 2021, *Deep residual learning in spiking neural networks*,
    A.2). Stems, neurons and decoders are built for T time steps and reject other
    inputs, although few weights depend on T. This hook sets their number of time steps
    to ``train_steps`` in training iterations; it is T in validation, testing and after
    training. In a config, with a training pipeline that returns ``train_steps``
    frames::

        custom_hooks = [dict(type='mmsnn.TrainStepsHook', train_steps=12)]

    All modules with an integer ``num_steps`` are changed. Modules that only support one
    number of time steps have the attribute ``fixed_num_steps`` (fixed by their code) or
    ``step_dims`` (fixed by their parameters). Averaged models, such as that of
    ``EMAHook``, are copies that are not changed; their weights are tested in the
    network itself. If a training iteration fails or is interrupted, the number of time
    steps is restored by the Runner's next validation, test or training.

    Args:
        train_steps: Number of time steps in training, T_train.

    Raises:
        TypeError: If ``train_steps`` is not an integer.
        ValueError: If ``train_steps`` is less than 1, or, before the first iteration,
            if modules have different numbers of time steps or none, or only support one
            number, such as attention over time.
    """

    def __init__(self, train_steps: int) -> None:
        self.train_steps = check_positive_int('train_steps', train_steps)
        self._parts: list[Any] = []
        self._num_steps = 0

    def before_train(self, runner: Runner) -> None:
        """Find the modules with time steps.

        Raises:
            UserError: If they do not support ``train_steps``; it is a ValueError.
        """
        # interrupted training may have left train_steps set
        self._restore()
        self._parts = []
        parts = modules_with_steps(runner.model)
        steps = sorted({part.num_steps for part in parts})
        if len(steps) != 1:
            found = ' and '.join(map(str, steps)) or 'none'
            raise UserError(
                'TrainStepsHook needs a network with one number of time steps, '
                f'but its parts have {found}'
            )
        if steps[0] != self.train_steps:
            self._check(runner.model, steps[0])
        self._parts, self._num_steps = parts, steps[0]
        runner.logger.info(
            f'TrainStepsHook: {self.train_steps} time steps in training, '
            f'{self._num_steps} in validation and testing'
        )

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: DATA_BATCH = None
    ) -> None:
        """Set ``train_steps``, in every iteration because epochs may evaluate."""
        for part in self._parts:
            part.num_steps = self.train_steps

    def adapt_for_training(self, model: nn.Module) -> None:
        """Set ``train_steps`` in a copy of the model, as in training iterations."""
        for part in modules_with_steps(model):
            part.num_steps = self.train_steps

    def after_train_epoch(self, runner: Runner) -> None:
        """Restore the number of time steps."""
        self._restore()

    def before_val_epoch(self, runner: Runner) -> None:
        """Restore the number of time steps in an epoch or after an interruption."""
        self._restore()

    def before_test_epoch(self, runner: Runner) -> None:
        """Restore the number of time steps after an interruption."""
        self._restore()

    def _restore(self) -> None:
        for part in self._parts:
            part.num_steps = self._num_steps

    def _check(self, model: nn.Module, num_steps: int) -> None:
        for name, part in unwrap(model).named_modules():
            in_code = getattr(part, 'fixed_num_steps', False)
            if in_code or getattr(part, 'step_dims', None):
                raise UserError(
                    f'TrainStepsHook: train_steps={self.train_steps} is impossible '
                    f'with {type(part).__name__} {name!r}, which works on {num_steps} '
                    'time steps only'
                )


def modules_with_steps(model: nn.Module) -> list[Any]:
    """Return the modules with an integer ``num_steps``."""
    return [
        part
        for part in model.modules()
        if type(getattr(part, 'num_steps', None)) is int
    ]
