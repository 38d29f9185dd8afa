"""A forward pass of one sample through the built model, before a run starts.

Settings that do not fit together, such as ``out_indices``, ``in_channels`` or
``num_steps`` of backbone, decoder and neck, otherwise fail after minutes of loading, or
at the first evaluation. The pass does not change the run: it uses copies of the model
and of the transforms, and restores the random states.
"""

import random
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from mmengine.dist import get_world_size
from mmengine.evaluator import Evaluator
from mmengine.model import is_model_wrapper
from mmengine.runner import BaseLoop, Runner
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.parallel import DataParallel, DistributedDataParallel
from torch.utils.data import DataLoader, Dataset

from .errors import UserError, first_line
from .failures import HINT, explain


def dry_run(runner: Runner, mode: str) -> None:
    """Check that the model accepts a sample of each data loader of a run.

    For training, the loss of a training sample is computed and, if there is a
    validation, a validation sample is predicted and evaluated; for testing, a test
    sample is predicted and evaluated. Norms use their running statistics, so that one
    sample is enough and processes do not communicate. No gradients are computed.

    The loops with their data loaders and evaluators are built here if they do not
    exist yet; the runner reuses them. A loader is skipped if the model or its data set
    cannot be copied, or if a batch needs samples from several sources.

    Args:
        runner: The runner, before ``train`` or ``test`` is called.
        mode: 'train' or 'test'.

    Raises:
        UserError: If a loader is empty, a sample cannot be loaded, or the model or the
            evaluator fails with it; the message names the part.
    """
    loops: dict[str, Any] = {}
    if mode == 'train':
        loops['train'] = runner.train_loop
        if runner._val_loop is not None:
            loops['val'] = runner.val_loop
    else:
        loops['test'] = runner.test_loop
    for split, loop in loops.items():
        _check_length(split, loop.dataloader)
    with _kept_random_states(), torch.no_grad():
        for split, loop in loops.items():
            model, dataset = _copy_model(runner), _copy_dataset(loop.dataloader)
            if model is None or dataset is None:
                continue
            if split == 'train':
                _adapt(model, runner)
            _try_sample(split, loop, model, dataset)


CANNOT_PROCESS = 'the model cannot process the images'


def predict(model: Any, batch: Mapping[str, Any]) -> Any:
    """Return what a model's ``test_step`` predicts for a batch, without a graph.

    Args:
        model: A model of MMEngine.
        batch: The input of its ``test_step``.

    Raises:
        UserError: If it fails; the message names the part.
    """
    try:
        with torch.no_grad():
            return model.test_step(batch)
    except UserError:
        # a collector's hook
        raise
    except Exception as error:
        raise _explained(CANNOT_PROCESS, error, model) from error


def check_batch(model: Any, batch: Mapping[str, Any]) -> None:
    """Check that a model in evaluation mode can predict a batch.

    The random states are restored.

    Args:
        model: A model of MMEngine.
        batch: The input of its ``test_step``, which is not changed.

    Raises:
        UserError: If it fails; the message names the part.
    """
    with _kept_random_states():
        predict(model, deepcopy(batch))


def _check_length(split: str, loader: DataLoader) -> None:
    """Check that a loader has samples and, for training, batches in this process.

    In an evaluation, a process without a batch waits for the others.
    """
    if not hasattr(loader.dataset, '__len__'):
        return
    samples = len(loader.dataset)
    if not samples:
        raise UserError(f'{split}_dataloader has no samples')
    if split == 'train' and not len(loader):
        raise UserError(
            f'train_dataloader has no batch: there are {samples} samples for '
            f'{get_world_size()} processes with batches of {batch_size_of(loader)}, of '
            'which an incomplete one is dropped'
        )


def batch_size_of(loader: DataLoader) -> Any:
    """Return the size of a loader's batches; None if its batch sampler has none."""
    size = loader.batch_size
    return getattr(loader.batch_sampler, 'batch_size', size) if size is None else size


def _copy_model(runner: Runner) -> Any:
    """Return a copy of the model without its wrapper, or None."""
    model: Any = runner.model
    if is_model_wrapper(model):
        if not isinstance(model, DataParallel | DistributedDataParallel):
            # its parameters are sharded over processes
            return None
        model = model.module
    return _copy(model, {})


def _copy_dataset(loader: DataLoader) -> Any:
    """Return a copy of the data set that shares only the annotations, or None."""
    if hasattr(loader.sampler, 'source_ratio'):
        return None
    if not hasattr(loader.dataset, '__getitem__'):
        return None
    shared = {}
    queue: list[Any] = [loader.dataset]
    while queue:
        part = queue.pop()
        for name in ('data_list', 'data_bytes', 'data_address'):
            value = getattr(part, name, None)
            shared[id(value)] = value
        if isinstance(getattr(part, 'dataset', None), Dataset):
            queue.append(part.dataset)
        queue += getattr(part, 'datasets', [])
    return _copy(loader.dataset, shared)


def _copy(thing: Any, shared: dict[int, Any]) -> Any:
    try:
        return deepcopy(thing, shared)
    except Exception:
        # custom classes may hold objects that cannot be copied, such as open files
        return None


def _adapt(model: nn.Module, runner: Runner) -> None:
    """Apply the hooks that change the model for training to a copy of it."""
    for hook in runner.hooks:
        adapt = getattr(hook, 'adapt_for_training', None)
        if adapt is not None:
            adapt(model)


def _try_sample(split: str, loop: BaseLoop, model: Any, dataset: Any) -> None:
    with explain_part(f'{split}_dataloader: the first sample cannot be loaded'):
        batch = loop.dataloader.collate_fn([dataset[0]])
    model.train(split == 'train')
    for module in model.modules():
        if isinstance(module, _NormBase):
            module.eval()
    with explain_part(
        f'the model cannot process a sample of {split}_dataloader', model
    ):
        if split == 'train':
            data: Any = model.data_preprocessor(batch, True)
            model.parse_losses(model._run_forward(data, mode='loss'))
            return
        outputs = model.val_step(batch) if split == 'val' else model.test_step(batch)
    with explain_part(f'{split}_evaluator does not take what the model predicts'):
        _process(loop.evaluator, outputs, batch)


def _process(evaluator: Evaluator, outputs: Any, batch: Any) -> None:
    """Process a batch with an evaluator and discard the results."""
    results = [(metric, metric.results) for metric in evaluator.metrics]
    try:
        for metric, _ in results:
            metric.results = []
        evaluator.process(data_samples=outputs, data_batch=batch)
    finally:
        for metric, kept in results:
            metric.results = kept


@contextmanager
def _kept_random_states() -> Iterator[None]:
    """Restore the states of all random number generators on exit."""
    states = random.getstate(), np.random.get_state()
    devices = [torch.cuda.current_device()] if torch.cuda.is_initialized() else []
    try:
        with torch.random.fork_rng(devices):
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])


@contextmanager
def explain_part(what: str, model: nn.Module | None = None) -> Iterator[None]:
    """Context manager that turns an error into one line naming the failed part.

    Args:
        what: What has failed, the start of the line.
        model: The model whose part is named, if it was running.

    Raises:
        UserError: If anything fails.
    """
    try:
        yield
    except Exception as error:
        raise _explained(what, error, model) from error


def _explained(what: str, error: Exception, model: nn.Module | None) -> UserError:
    part = _find_part(error, model) if model is not None else ''
    reason = explain(error) or f'{first_line(error)} {HINT}'
    return UserError(f'{what}{part}: {reason}')


def _find_part(error: Exception, model: nn.Module) -> str:
    """Return the name and class of the innermost part of a model that was running."""
    names = {id(module): name for name, module in model.named_modules()}
    part = ''
    for frame, _ in traceback.walk_tb(error.__traceback__):
        module = frame.f_locals.get('self')
        if names.get(id(module)):
            part = f' ({names[id(module)]}, {type(module).__name__})'
    return part
