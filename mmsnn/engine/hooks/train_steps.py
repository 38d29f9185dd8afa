"""Training with another number of time steps than testing, in one run."""

from typing import Any

from mmengine.hooks import Hook
from mmengine.hooks.hook import DATA_BATCH
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import nn

from mmsnn.registry import HOOKS
from mmsnn.utils import check_positive_int
from mmsnn.utils.errors import UserError


@HOOKS.register_module()
class TrainStepsHook(Hook):
    """Trains a network with fewer time steps than it is tested with.

    Random temporal delete trains with T_train = 12 slices of T = 16 and tests with all
    of them (Fang et al. 2021, *Deep residual learning in spiking neural networks*,
    A.2). Stems, neurons and decoders work on the number of steps that they are built
    for, T, and refuse another, though hardly any weight depends on it. This hook lets
    them work on ``train_steps`` in training iterations; whenever else they are used, in
    validation, in testing and after training, they are as built. In a config, beside a
    training pipeline whose frames are ``train_steps``::

        custom_hooks = [dict(type='mmsnn.TrainStepsHook', train_steps=12)]

    All modules with an integer ``num_steps`` are changed. Those that are made for one
    number of steps say so by the attribute ``fixed_num_steps`` (in their code) or
    ``step_dims`` (in their parameters). Averaged models, such as
    ``EMAHook``'s, are copies that never change, and whose weights are tested in the
    network itself. When a training iteration fails or is interrupted, the network is
    put right by the Runner's next validation, test or training, not at once.

    Args:
        train_steps: Number of time steps in training, T_train.

    Raises:
        TypeError: If ``train_steps`` is no integer.
        ValueError: If it is less than 1; before the first iteration, if the network has
            parts made for one number of steps only, such as attention over time, or
            parts with different ones, or none.
    """

    def __init__(self, train_steps: int) -> None:
        self.train_steps = check_positive_int('train_steps', train_steps)
        self._parts: list[Any] = []
        self._num_steps = 0

    def before_train(self, runner: Runner) -> None:
        """Find the parts with time steps.

        Raises:
            UserError: If they cannot work on ``train_steps``; it is a ValueError.
        """
        # what an interrupted training before may have left changed
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
        """Change the number of steps: not once an epoch, which may hold evaluations."""
        for part in self._parts:
            part.num_steps = self.train_steps

    def adapt_for_training(self, model: nn.Module) -> None:
        """Change a copy of the model as the model is in training iterations."""
        for part in modules_with_steps(model):
            part.num_steps = self.train_steps

    def after_train_epoch(self, runner: Runner) -> None:
        """Restore the number of steps."""
        self._restore()

    def before_val_epoch(self, runner: Runner) -> None:
        """Restore the number of steps, within an epoch or after an interruption."""
        self._restore()

    def before_test_epoch(self, runner: Runner) -> None:
        """Restore the number of steps after an interruption."""
        self._restore()

    def _restore(self) -> None:
        for part in self._parts:
            part.num_steps = self._num_steps

    def _check(self, model: nn.Module, num_steps: int) -> None:
        inner: Any = model.module if is_model_wrapper(model) else model
        for name, part in inner.named_modules():
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
