"""Stops a run whose values are no longer finite."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.hooks.hook import DATA_BATCH
from mmengine.model import MMDistributedDataParallel, is_model_wrapper
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from mmsnn.registry import HOOKS
from mmsnn.utils import check_positive_int
from mmsnn.utils.errors import UserError
from mmsnn.utils.finite import (
    first_non_finite_module,
    is_statistic,
    learned_state,
    non_finite_names,
)

# Gradients that overflow even when they are scaled down so far are not finite at all.
_MIN_LOSS_SCALE = 2.0**-16
# How a sample may be named, the plainest first.
_SAMPLE_KEYS = ('img_path', 'event_path', 'img_id', 'sample_idx')


@HOOKS.register_module()
class NonFiniteHook(Hook):
    """Stops training when a loss, a parameter or an input is NaN or infinite.

    Checked are

    - in every training iteration the losses, before the optimizer's step, so that a
      loss that is not finite never reaches the weights;
    - every ``interval`` iterations, and whatever is about to be saved as a checkpoint,
      the parameters and the statistics of norms;
    - before training, validation and testing, the same, and the ``mean`` and ``std`` of
      the data preprocessor;
    - in all of them, images and frames that are floating-point numbers.

    The error names the iteration and the first of these that is not finite: samples of
    the batch; parameters; the output of a module, for which the batch is run once more;
    the losses. Steps that mixed precision skips because scaled gradients overflow are
    no error, but a loss scale below 2^-16 is.

    The losses cost two small operations each and one wait for the device before the
    optimizer's step. MMEngine itself waits for them after it, to log them, and mixed
    precision and clipping of gradients wait before it. The other checks read each
    tensor once, to sum it up.

    With several processes the one that sees such a value stops, and the launcher ends
    the others. The batch is run once more up to the outputs of the network, without the
    losses, and not at all with synchronised norms or sharded parameters.

    Args:
        interval: Training iterations from one check of the parameters to the next.

    Raises:
        TypeError: If ``interval`` is no integer.
        ValueError: If it is less than 1; in a run, if a value is not finite
            (:class:`~mmsnn.utils.errors.UserError`).
    """

    # after EMAHook has put its weights into a checkpoint, before it is written
    priority = 'LOW'

    def __init__(self, interval: int = 100) -> None:
        self.interval = check_positive_int('interval', interval)
        self._losses: list[tuple[str, Tensor]] = []
        self._handles: list[RemovableHandle] = []

    def before_train(self, runner: Runner) -> None:
        """Check the model that is to be trained."""
        self._check_model(runner.model, 'before training')

    def before_val(self, runner: Runner) -> None:
        """Check the model that is to be validated."""
        self._check_model(runner.model, 'before validation')

    def before_test(self, runner: Runner) -> None:
        """Check the model that is to be tested."""
        self._check_model(runner.model, 'before testing')

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: DATA_BATCH = None
    ) -> None:
        """Check the batch, and watch the losses and the optimizer's step."""
        self._release()
        _check_batch(data_batch, f'in iteration {runner.iter + 1}')
        self._handles.append(_inner(runner.model).register_forward_hook(self._note))
        for optimizer in _optimizers(runner.optim_wrapper):
            self._handles.append(
                optimizer.register_step_pre_hook(
                    lambda *_: self._check_losses(runner, data_batch)
                )
            )

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: DATA_BATCH = None,
        outputs: dict | None = None,
    ) -> None:
        """Check losses of an iteration without a step, and at times the parameters."""
        # of a step that was skipped, or is due after further iterations
        self._check_losses(runner, data_batch)
        self._release()
        if self.every_n_train_iters(runner, self.interval):
            moment = f'after iteration {runner.iter + 1}'
            self._check_model(runner.model, moment)
            _check_loss_scale(runner.optim_wrapper, moment)

    def before_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: DATA_BATCH = None
    ) -> None:
        """Check the batch."""
        _check_batch(data_batch, f'in validation batch {batch_idx + 1}')

    def before_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: DATA_BATCH = None
    ) -> None:
        """Check the batch."""
        _check_batch(data_batch, f'in test batch {batch_idx + 1}')

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Check the weights in a checkpoint, averaged ones among them.

        Raises:
            UserError: If some are not finite: nothing is written then.
        """
        names = {name for name, _ in _inner(runner.model).named_parameters()}
        for key in ('state_dict', 'ema_state_dict'):
            tensors = (
                (name, value)
                for name, value in checkpoint.get(key, {}).items()
                if name.removeprefix('module.') in names or is_statistic(name)
            )
            if bad := non_finite_names(tensors):
                raise UserError(
                    f'no checkpoint is saved at iteration {runner.iter}: in its '
                    f'{key} {_list(bad)} not finite'
                )

    def _note(self, model: nn.Module, args: Any, output: Any) -> None:
        """Keep the losses that a forward pass returns."""
        if isinstance(output, Mapping):
            for name, value in output.items():
                # what MMEngine adds up
                if 'loss' in name:
                    values = value if isinstance(value, Sequence) else [value]
                    self._losses += [
                        (name, x.detach()) for x in values if torch.is_tensor(x)
                    ]

    def _check_losses(self, runner: Runner, batch: DATA_BATCH) -> None:
        losses, self._losses = self._losses, []
        bad = non_finite_names(losses)
        if not bad:
            return
        self._release()
        causes = [f'{_list(sorted(set(bad)))} not finite']
        if cause := _find_cause(runner, batch):
            causes.append(cause)
        raise UserError(
            f'training stopped in iteration {runner.iter + 1}: {"; ".join(causes)}'
        )

    def _check_model(self, model: nn.Module, moment: str) -> None:
        inner = _inner(model)
        if bad := non_finite_names(learned_state(inner)):
            raise UserError(f'{moment}, {_list(bad)} not finite')
        preprocessor = getattr(inner, 'data_preprocessor', None)
        for name, allowed in (('mean', 'finite'), ('std', 'finite and positive')):
            value = getattr(preprocessor, name, None)
            if isinstance(value, Tensor) and not (
                value.isfinite().all() and (name == 'mean' or (value > 0).all())
            ):
                raise UserError(
                    f'data_preprocessor.{name} must be {allowed}, but is '
                    f'{value.flatten().tolist()}'
                )

    def _release(self) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles, self._losses = [], []


def _inner(model: Any) -> Any:
    """Return the model inside a wrapper, if there is one."""
    return model.module if is_model_wrapper(model) else model


def _optimizers(wrapper: Any) -> Iterator[torch.optim.Optimizer]:
    """Yield the optimizers in one wrapper or in a dict of them."""
    for each in wrapper.values() if hasattr(wrapper, 'values') else (wrapper,):
        if isinstance(each.optimizer, torch.optim.Optimizer):
            yield each.optimizer


def _check_batch(batch: Any, moment: str) -> None:
    if bad := _name_samples(batch):
        raise UserError(f'{moment}, inputs of {", ".join(bad)} are not finite')


def _name_samples(batch: Any) -> list[str]:
    """Return which samples of a collated batch have inputs that are not finite."""
    inputs = batch.get('inputs') if isinstance(batch, Mapping) else None
    if not isinstance(inputs, Tensor | list | tuple):
        return []
    named = ((str(i), x) for i, x in enumerate(inputs) if isinstance(x, Tensor))
    samples = batch.get('data_samples') or ()
    return [_describe_sample(samples, int(i)) for i in non_finite_names(named)]


def _describe_sample(samples: Sequence[Any], index: int) -> str:
    if index < len(samples):
        for key in _SAMPLE_KEYS:
            value = samples[index].get(key)
            if value is not None:
                return f'{key}={value!r}'
    return f'sample {index} of the batch'


def _check_loss_scale(wrapper: Any, moment: str) -> None:
    scaler = getattr(wrapper, 'loss_scaler', None)
    if scaler is not None and scaler.is_enabled():
        scale = scaler.get_scale()
        if scale < _MIN_LOSS_SCALE:
            raise UserError(
                f'{moment}, the loss scale of mixed precision is {scale:.3g}: '
                'gradients stay infinite or NaN, so that all steps are skipped'
            )


def _find_cause(runner: Runner, batch: DATA_BATCH) -> str | None:
    """Say what in the model made a loss that is not finite, if it can be found."""
    model = _inner(runner.model)
    # not the statistics of norms, which this forward pass has changed
    if bad := non_finite_names(model.named_parameters()):
        return f'{_list(bad)} not finite since an earlier step'
    # collective operations of one process alone would wait for ever: none are left
    # without losses and augmentations of the batch, except in the layers checked here
    alone = get_world_size() == 1
    if not alone and not _is_local(runner.model):
        return None

    def forward() -> None:
        with torch.no_grad(), runner.optim_wrapper.optim_context(model):
            data = model.data_preprocessor(batch, training=alone)
            model._run_forward(data, mode='loss' if alone else 'tensor')

    try:
        return first_non_finite_module(model, forward)
    except Exception as error:
        # the loss remains what is wrong
        return f'running the batch again failed ({type(error).__name__})'


def _is_local(model: nn.Module) -> bool:
    """Return whether the forward pass of one of several processes needs no other."""
    whole = not is_model_wrapper(model) or isinstance(model, MMDistributedDataParallel)
    return whole and not any(isinstance(m, nn.SyncBatchNorm) for m in model.modules())


def _list(names: Sequence[str], most: int = 3) -> str:
    """Return the first names and how many there are, and the verb that follows."""
    listed = ', '.join(names[:most])
    if len(names) > most:
        listed += f' and {len(names) - most} more'
    return f'{listed} {"is" if len(names) == 1 else "are"}'
