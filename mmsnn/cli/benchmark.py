"""Measure the speed of inference or of data loading.

The tasks and options are MMDetection's, but results are medians, which are robust to
short interruptions, and no task needs a GPU:
    inference   model.test_step on images in memory
    dataloader  batches of the config's data loader, with its workers
    dataset     samples of the data set, and each transform of its pipeline

Examples:
    mmsnn benchmark CONFIG --shape 224 --batch-size 8
    mmsnn benchmark CONFIG --task dataloader --dataset-type train
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from .common.options import (
    OutputFolder,
    add_config_options,
    add_shape_option,
    get_source,
)
from .common.progress import progress
from .common.read_config import read_config


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add_config_options(parser)
    parser.add_argument('--checkpoint', help='checkpoint; weights do not affect speed')
    parser.add_argument(
        '--task',
        choices=['inference', 'dataloader', 'dataset'],
        default='inference',
        help='what to measure (default: %(default)s)',
    )
    parser.add_argument(
        '--dataset-type',
        choices=['train', 'val', 'test'],
        default='test',
        help='split for the tasks dataloader and dataset (default: %(default)s)',
    )
    add_shape_option(parser, 'images of the test set')
    parser.add_argument(
        '--batch-size',
        type=int,
        default=1,
        help='images per batch for the task inference (default: 1)',
    )
    for name, default, what in (
        ('repeat-num', 1, 'number of measurements'),
        ('max-iter', 100, 'iterations per measurement'),
        ('num-warmup', 5, 'iterations before each measurement that are not counted'),
    ):
        text = f'{what} (default: {default})'
        parser.add_argument(f'--{name}', type=int, default=default, help=text)
    parser.add_argument(
        '--work-dir',
        action=OutputFolder,
        help='folder to save benchmark.json to',
    )


def check_numbers(args: argparse.Namespace) -> None:
    """Check the options that are numbers.

    Raises:
        UserError: If one is too small.
    """
    from mmsnn.utils.errors import UserError

    least = {'repeat_num': 1, 'max_iter': 1, 'num_warmup': 0, 'batch_size': 1}
    for name, low in least.items():
        value = getattr(args, name)
        if value < low:
            option = f'--{name.replace("_", "-")}'
            raise UserError(f'{option} must be at least {low}, but got {value}')


def measure(seconds: Iterator[float], args: argparse.Namespace) -> list[list[float]]:
    """Return the seconds of each iteration of each repetition."""
    progress('Measuring')
    repetitions = []
    for number in range(1, args.repeat_num + 1):
        for _ in range(args.num_warmup):
            next(seconds)
        repetitions.append([next(seconds) for _ in range(args.max_iter)])
        took = median(repetitions[-1])
        print(f'repetition {number}: {1000 * took:.2f} ms, {1 / took:.1f} /s')
    return repetitions


def summarize(
    args: argparse.Namespace, repetitions: list[list[float]], images: int
) -> dict[str, Any]:
    """Return the results to print and save; ``images`` is the number per iteration."""
    import numpy as np

    from mmsnn.analysis.speed import peak_memory

    every = np.concatenate(repetitions)
    middle = median(median(times) for times in repetitions)
    return {
        'config': args.config,
        'task': args.task,
        'images_per_iteration': images,
        'median_ms': 1000 * middle,
        'p5_ms': 1000 * float(np.percentile(every, 5)),
        'p95_ms': 1000 * float(np.percentile(every, 95)),
        'images_per_s': images / middle,
        'medians_ms': [1000 * median(times) for times in repetitions],
        'peak_memory_mib': peak_memory(),
    }


def main(args: argparse.Namespace) -> None:
    """Measure, print and save."""
    check_numbers(args)
    cfg = read_config(args)
    from mmsnn.analysis.speed import (
        build_loader,
        time_batches,
        time_inference,
        time_samples,
    )

    parts: dict[str, list[float]] = {}
    images = 1
    if args.task == 'inference':
        source, images = get_source(args.shape, 'dataset'), args.batch_size
        seconds = time_inference(cfg, source, args.batch_size, args.checkpoint)
    elif args.task == 'dataloader':
        loader, images = build_loader(cfg, args.dataset_type)
        seconds = time_batches(loader)
    else:
        seconds = time_samples(cfg, args.dataset_type, parts)
    repetitions = measure(seconds, args)
    result = summarize(args, repetitions, images)
    if parts:
        result['parts_ms'] = {k: 1000 * median(v) for k, v in parts.items()}
        for name, value in result['parts_ms'].items():
            print(f'  {name}: {value:.3f} ms')
    print(
        f'{args.task}: median {result["median_ms"]:.2f} ms per iteration of {images} '
        f'image(s) (5 to 95 %: {result["p5_ms"]:.2f} to {result["p95_ms"]:.2f} ms), '
        f'{result["images_per_s"]:.1f} images/s'
    )
    peak = ', '.join(
        f'{kind.upper()} {size:.0f} MiB'
        for kind, size in result['peak_memory_mib'].items()
    )
    print(f'peak memory: {peak}')
    if args.work_dir is not None:
        path = Path(args.work_dir, 'benchmark.json')
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(result, indent=2))
        print(f'Saved {path}')
