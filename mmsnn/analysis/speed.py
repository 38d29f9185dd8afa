"""Inference time, data loading time and peak memory."""

import resource
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from mmengine.config import Config
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from mmsnn.deploy import to_channels_last
from mmsnn.utils.dry_run import batch_size_of, check_batch, explain_part
from mmsnn.utils.errors import UserError
from mmsnn.utils.failures import explain_building
from mmsnn.utils.preflight import forget_pretrained

from .model_inputs import InputSource, build_model, make_batches, open_dataset

NUM_BATCHES = 8
"""Number of batches in memory; several, because a single one may be atypical."""


def _synchronize() -> None:
    """Wait for the GPU, if there is one."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def time_inference(
    cfg: Config, source: InputSource, batch_size: int, checkpoint: str | None = None
) -> Iterator[float]:
    """Yield the duration of each inference in seconds, indefinitely.

    Args:
        cfg: A full config; without a checkpoint, pretrained weights are removed from
            it, because weights do not change the speed.
        source: Source of the images.
        batch_size: Images per batch.
        checkpoint: Checkpoint to load; None uses the initial weights.

    Raises:
        UserError: If there are fewer images than ``batch_size``.
    """
    batches = make_batches(cfg, source, NUM_BATCHES * batch_size, batch_size)
    full = [batch for batch in batches if len(batch['inputs']) == batch_size]
    if not full:
        raise UserError(
            f'--batch-size {batch_size}: the test set has {batches.num_images} images'
        )
    if checkpoint is None:
        forget_pretrained(cfg.get('model'))
    model: Any = to_channels_last(build_model(cfg, checkpoint))
    check_batch(model, full[0])
    with torch.no_grad():
        while True:
            for batch in full:
                # Some preprocessors modify their input.
                data = {**batch}
                _synchronize()
                start = time.perf_counter()
                model.test_step(data)
                _synchronize()
                yield time.perf_counter() - start


def build_loader(cfg: Config, split: str) -> tuple[DataLoader, int]:
    """Build the data loader of a split.

    Returns:
        The loader, and the number of images in its batches.

    Raises:
        UserError: If the loader cannot be built, has no batches, or has a batch sampler
            without a batch size.
    """
    dataset = open_dataset(cfg, split)
    name = f'{split}_dataloader'
    with explain_building(f'{name} of config {cfg.filename!r}'):
        loader = Runner.build_dataloader({**cfg[name], 'dataset': dataset})
    size = batch_size_of(loader)
    if size is None:
        raise UserError(
            f'the batch sampler of {name}, {type(loader.batch_sampler).__name__}, must '
            'have an attribute batch_size'
        )
    if not len(loader):
        raise UserError(
            f'{name} drops its last batch of {size}, and has no other: the data set '
            f'has {len(dataset)}'
        )
    return loader, size


def time_batches(loader: DataLoader) -> Iterator[float]:
    """Yield the time of each batch of a data loader in seconds, indefinitely.

    Raises:
        UserError: If a batch cannot be loaded.
    """
    while True:
        with explain_part('a batch cannot be loaded'):
            start = time.perf_counter()
            for _ in loader:
                yield time.perf_counter() - start
                start = time.perf_counter()


def time_samples(
    cfg: Config, split: str, times: dict[str, list[float]]
) -> Iterator[float]:
    """Yield the time of each sample in seconds, indefinitely.

    The times of the individual transforms are appended to ``times``.

    Raises:
        UserError: If the data set has no pipeline of its own, such as a wrapper.
    """
    dataset = open_dataset(cfg, split)
    if not hasattr(getattr(dataset, 'pipeline', None), 'transforms'):
        raise UserError(
            f'--task dataset needs a data set with a pipeline, but '
            f'{type(dataset).__name__} has none: use --task dataloader'
        )
    parts: list[tuple[str, Callable]] = [
        (f'{index} {type(transform).__name__}', transform)
        for index, transform in enumerate(dataset.pipeline.transforms, 1)
    ]
    while True:
        for index in range(len(dataset)):
            begin = start = time.perf_counter()
            data = dataset.get_data_info(index)
            for name, transform in [('0 get_data_info', None), *parts]:
                if transform is not None:
                    data = transform(data)
                now = time.perf_counter()
                times.setdefault(name, []).append(now - start)
                start = now
                if data is None:
                    break
            yield time.perf_counter() - begin


def peak_memory() -> dict[str, float]:
    """Return the peak memory of this process in MiB."""
    # ru_maxrss is in KiB on Linux, in bytes on macOS.
    unit = 2**20 if sys.platform == 'darwin' else 2**10
    peak = {'ram': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit}
    if torch.cuda.is_available():
        peak['gpu'] = torch.cuda.max_memory_allocated() / 2**20
    return peak
