"""Hook that stops a run when values are not finite."""

from collections.abc import Mapping, Sequence
from functools import partial
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
from mmsnn.utils.checkpoints import enumerate_some
from mmsnn.utils.disk_room import optimizers
from mmsnn.utils.errors import UserError
from mmsnn.utils.finite import (
    first_non_finite_module,
    is_statistic,
    learned_state,
    non_finite_names,
    tensors_in,
)
from mmsnn.utils.model_wrappers import unwrap

# If gradients overflow even at this scale, the unscaled gradients are not finite.
_MIN_LOSS_SCALE = 2.0**-16
# Keys that identify a sample in messages, in order of preference.
_SAMPLE_KEYS = ('img_path', 'event_path', 'img_id', 'sample_idx')


@HOOKS.register_module()
class NonFiniteHook(Hook):
    """Stops training when a loss, a parameter or an input is NaN or infinite.

    The hook checks

    - the losses in every training iteration, before the optimizer step, so that a
      non-finite loss never changes the weights;
    - the parameters and the statistics of norms, every ``interval`` iterations and
      before a checkpoint is saved;
    - the parameters, the statistics of norms, and the data preprocessor's ``mean`` and
      ``std``, before training, validation and testing;
    - floating-point images and frames in every iteration;
    - the outputs of heads for NaN, in validation and testing, since MMDetection drops
      detections whose scores are NaN.

    The error names the iteration and the first non-finite values among: samples of the
    batch; parameters; the output of a module, found by running the batch again; the
    losses. Steps that mixed precision skips because scaled gradients overflow are not
    an error, but a loss scale below 2^-16 is.

    The checks of the losses take two small operations per loss and one device
    synchronisation before the optimizer step. MMEngine synchronises after the step
    anyway, to log the losses, and mixed precision and gradient clipping synchronise
    before it. The other checks read each tensor once to sum it.

    In distributed training, the process with the non-finite value stops, and the
    launcher ends the others. The batch is then run again up to the outputs of the
    network, without the losses, and not at all with synchronised norms or sharded
    parameters.

    Args:
        interval: Number of training iterations between checks of the parameters.

    Raises:
        TypeError: If ``interval`` is not an integer.
        ValueError: If ``interval`` is less than 1, or, during a run, if a value is not
            finite (:class:`~mmsnn.utils.errors.UserError`).
    """

    # after EMAHook adds its weights to a checkpoint, before the checkpoint is written
    priority = 'LOW'

    def __init__(self, interval: int = 100) -> None:
        self.interval = check_positive_int('interval', interval)
        self._losses: list[tuple[str, Tensor]] = []
        self._handles: list[RemovableHandle] = []

    def before_train(self, runner: Runner) -> None:
        """Check the model before training."""
        self._check_model(runner.model, 'before training')

    def before_val(self, runner: Runner) -> None:
        """Check the model before validation."""
        self._check_model(runner.model, 'before validation')
        self._watch_heads(runner.model, 'validation')

    def before_test(self, runner: Runner) -> None:
        """Check the model before testing."""
        self._check_model(runner.model, 'before testing')
        self._watch_heads(runner.model, 'testing')

    def after_val(self, runner: Runner) -> None:
        """Remove the checks of the heads."""
        self._release()

    after_test = after_val

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: DATA_BATCH = None
    ) -> None:
        """Check the batch, and register the check of the losses."""
        self._release()
        _check_batch(data_batch, f'in iteration {runner.iter + 1}')
        self._handles.append(unwrap(runner.model).register_forward_hook(self._note))
        for optimizer in optimizers(runner.optim_wrapper):
            # DeepSpeed's optimizers have no hooks
            if isinstance(optimizer, torch.optim.Optimizer):
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
        """Check losses without an optimizer step and, at intervals, the parameters."""
        # no step if it was skipped or gradients are accumulated
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
        """Check the weights in a checkpoint, including averaged ones.

        Raises:
            UserError: If some are not finite; the checkpoint is not written.
        """
        names = {name for name, _ in unwrap(runner.model).named_parameters()}
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
        """Store the losses that a forward pass returns."""
        if isinstance(output, Mapping):
            for name, value in output.items():
                # the entries that MMEngine sums
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
        inner = unwrap(model)
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

    def _watch_heads(self, model: nn.Module, moment: str) -> None:
        self._release()
        for name, module in unwrap(model).named_modules():
            if name.endswith('head'):
                check = partial(_check_output, f'in {moment}, the output of {name}')
                self._handles.append(module.register_forward_hook(check))

    def _release(self) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles, self._losses = [], []


def _check_batch(batch: Any, moment: str) -> None:
    if bad := _name_samples(batch):
        raise UserError(f'{moment}, inputs of {", ".join(bad)} are not finite')


def _check_output(what: str, head: nn.Module, args: Any, output: Any) -> None:
    if non_finite_names(tensors_in(output)) and any(
        x.isnan().any() for _, x in tensors_in(output)
    ):
        raise UserError(f'{what} ({type(head).__name__}) has values that are NaN')


def _name_samples(batch: Any) -> list[str]:
    """Return descriptions of a batch's samples with non-finite inputs."""
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
    """Describe what in the model caused a non-finite loss, if it can be found."""
    model = unwrap(runner.model)
    # statistics of norms are skipped, because this forward pass changed them
    if bad := non_finite_names(model.named_parameters()):
        return f'{_list(bad)} not finite since an earlier step'
    # a collective operation in one process would block forever: run without the losses
    # and batch augmentations, and not with the layers checked here
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
        # the non-finite loss is still the error to report
        return f'running the batch again failed ({type(error).__name__})'


def _is_local(model: nn.Module) -> bool:
    """Return whether the forward pass works without the other processes."""
    whole = not is_model_wrapper(model) or isinstance(model, MMDistributedDataParallel)
    return whole and not any(isinstance(m, nn.SyncBatchNorm) for m in model.modules())


def _list(names: Sequence[str]) -> str:
    """Return the first names, the number of further names, and "is" or "are"."""
    return f'{enumerate_some(names, 3)} {"is" if len(names) == 1 else "are"}'
