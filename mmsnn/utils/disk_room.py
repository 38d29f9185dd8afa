"""Checks that the checkpoints of a training fit on the disk."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from mmengine.hooks import EMAHook
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner
from torch.optim import Optimizer

from .errors import UserError
from .model_wrappers import unwrap

_GIB = 1024**3


def check_room(runner: Runner, folder: str, num_full: int, num_best: int) -> None:
    """Check that checkpoints fit on the disk before any is written.

    Args:
        runner: A runner with model and optimizer.
        folder: Folder of the checkpoints; created if missing.
        num_full: Number of checkpoints with optimizer still to be stored at a time.
        num_best: Number of checkpoints with weights only.

    Raises:
        UserError: If ``folder`` cannot be created, or has too little free space.
    """
    weights = weight_bytes(runner)
    needed = num_full * (weights + optimizer_bytes(runner)) + num_best * weights
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise UserError(
            f'folder {folder!r} of the checkpoints cannot be written ({error.strerror})'
        ) from error
    if free < needed:
        raise UserError(
            f'the checkpoints need {needed / _GIB:.2f} GiB in {folder!r}, where '
            f'{free / _GIB:.2f} GiB are free; max_keep_ckpts of the checkpoint hook '
            'sets how many are kept'
        )


def weight_bytes(runner: Runner) -> int:
    """Return the bytes of the model's weights and of their moving average."""
    size = sum(value.nbytes for value in unwrap(runner.model).state_dict().values())
    return size * (1 + sum(isinstance(hook, EMAHook) for hook in runner.hooks))


def optimizer_bytes(runner: Runner) -> int:
    """Estimate the bytes of the optimizer's state, which the first step creates."""
    return sum(
        parameter.nbytes * _num_moments(group)
        for optimizer in optimizers(runner.optim_wrapper)
        for group in optimizer.param_groups
        for parameter in group['params']
    )


def optimizers(wrapper: OptimWrapper | OptimWrapperDict) -> Iterator[Optimizer]:
    """Yield the optimizers in a wrapper, or in a dict of several."""
    wrappers = wrapper.values() if isinstance(wrapper, OptimWrapperDict) else [wrapper]
    for one in wrappers:
        yield one.optimizer


def _num_moments(group: dict[str, object]) -> int:
    """Return how many state tensors common optimizers keep per parameter."""
    if 'betas' not in group and 'momentum' in group:
        return int(bool(group['momentum']))
    return 2
