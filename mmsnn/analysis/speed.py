"""Times of a model's inference and of the loading of its data; peak memory."""

import resource
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from mmengine.config import Config
from mmengine.runner import Runner

from mmsnn.deploy import to_channels_last
from mmsnn.utils.dry_run import check_batch
from mmsnn.utils.errors import UserError
from mmsnn.utils.preflight import forget_pretrained

from .model_inputs import InputSource, build_model, make_batches, open_dataset

IMAGES = 8
"""Batches kept in memory: more take memory, a single one may be special."""


def _synchronize() -> None:
    """Wait for the GPU, if there is one."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def time_inference(
    cfg: Config, source: InputSource, batch_size: int, checkpoint: str | None = None
) -> Iterator[float]:
    """Yield the seconds of each inference, without end.

    Args:
        cfg: The config of a whole run; without a checkpoint, what its model loads is
            removed, since weights do not change the speed.
        source: Where the images come from.
        batch_size: Images per batch.
        checkpoint: The weights; None keeps the initial ones.

    Raises:
        UserError: If there are fewer images than a batch has.
    """
    batches = make_batches(cfg, source, IMAGES * batch_size, batch_size)
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
                # Some preprocessors write into what they get.
                data = {**batch}
                _synchronize()
                start = time.perf_counter()
                model.test_step(data)
                _synchronize()
                yield time.perf_counter() - start


def time_batches(cfg: Config, split: str) -> Iterator[float]:
    """Yield the seconds that each batch of the data loader takes, without end.

    Raises:
        UserError: If the loader has none.
    """
    dataset = open_dataset(cfg, split)
    settings = {**cfg[f'{split}_dataloader'], 'dataset': dataset}
    loader = Runner.build_dataloader(settings)
    if not len(loader):
        raise UserError(
            f'{split}_dataloader drops its last batch of '
            f'{loader.batch_size}, and has no other: the data set has {len(dataset)}'
        )
    while True:
        start = time.perf_counter()
        for _ in loader:
            yield time.perf_counter() - start
            start = time.perf_counter()


def time_samples(
    cfg: Config, split: str, times: dict[str, list[float]]
) -> Iterator[float]:
    """Yield the seconds that each sample takes, without end.

    ``times`` gets those of the parts.

    Raises:
        UserError: If the data set is a wrapper, which has no pipeline of its own.
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
    """Return the most memory this process has had, in MiB."""
    # Linux counts KiB, macOS bytes.
    unit = 2**20 if sys.platform == 'darwin' else 2**10
    peak = {'ram': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit}
    if torch.cuda.is_available():
        peak['gpu'] = torch.cuda.max_memory_allocated() / 2**20
    return peak
