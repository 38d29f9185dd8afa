"""Measure how fast a model infers, or how fast its data are loaded.

The tasks and options are MMDetection's, but medians are given, which a pause of the
machine does not change, and all tasks run without a GPU:
    inference   ``model.test_step`` on images that are in memory already
    dataloader  batches of the config's data loader, with its workers
    dataset     samples of the data set, and each transform of its pipeline
Usage:
    python tools/analysis_tools/benchmark.py CONFIG [--checkpoint FILE]
        [--task inference|dataloader|dataset] [--dataset-type train|val|test]
        [--shape HEIGHT [WIDTH]] [--batch-size 1] [--repeat-num 1] [--max-iter 100]
        [--num-warmup 5] [--work-dir DIR] [--cfg-options KEY=VALUE ...]
"""

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import _config

if TYPE_CHECKING:
    from mmengine.config import Config

# Images kept in memory for 'inference': more take memory, one may be special.
IMAGES = 8


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description='Measure speeds',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    _config.add_config_options(parser)
    parser.add_argument('--checkpoint', help='weights, which do not change speeds')
    parser.add_argument(
        '--task',
        choices=['inference', 'dataloader', 'dataset'],
        default='inference',
        help='what to measure',
    )
    parser.add_argument(
        '--dataset-type',
        choices=['train', 'val', 'test'],
        default='test',
        help='of dataloader and dataset: which data',
    )
    _config.add_shape_option(parser)
    parser.add_argument(
        '--batch-size', type=int, default=1, help='of inference: images a batch'
    )
    for name, default, what in (
        ('repeat-num', 1, 'how often to measure'),
        ('max-iter', 100, 'iterations of each measurement, if there are so many'),
        ('num-warmup', 5, 'iterations before, which do not count'),
    ):
        parser.add_argument(f'--{name}', type=int, default=default, help=what)
    parser.add_argument(
        '--work-dir',
        action=_config.OutputFolder,
        help='folder to save benchmark.json in',
    )
    return parser.parse_args()


def check_numbers(args: argparse.Namespace) -> None:
    """Check the numbers.

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


def synchronize() -> None:
    """Wait for the GPU, if there is one."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


def infer(cfg: 'Config', args: argparse.Namespace) -> Iterator[float]:
    """Yield the seconds of each inference, without end.

    Raises:
        UserError: If there are fewer images than a batch has.
    """
    import torch

    from mmsnn.analysis.model_inputs import build_model, make_batches
    from mmsnn.deploy import to_channels_last
    from mmsnn.utils.dry_run import check_batch
    from mmsnn.utils.errors import UserError

    source = _config.get_source(args.shape)
    batches = make_batches(cfg, source, IMAGES * args.batch_size, args.batch_size)
    full = [batch for batch in batches if len(batch['inputs']) == args.batch_size]
    if not full:
        raise UserError(
            f'--batch-size {args.batch_size}: the test set has {batches.num_images} '
            'images'
        )
    if args.checkpoint is None:
        _config.forget_pretrained(cfg.get('model'))
    model: Any = to_channels_last(build_model(cfg, args.checkpoint))
    check_batch(model, full[0])
    with torch.no_grad():
        while True:
            for batch in full:
                # Some preprocessors write into what they get.
                data = {**batch}
                synchronize()
                start = time.perf_counter()
                model.test_step(data)
                synchronize()
                yield time.perf_counter() - start


def load_batches(cfg: 'Config', args: argparse.Namespace) -> Iterator[float]:
    """Yield the seconds that each batch of the data loader takes, without end.

    Raises:
        UserError: If the loader has none.
    """
    from mmengine.runner import Runner

    from mmsnn.analysis.model_inputs import open_dataset
    from mmsnn.utils.errors import UserError

    dataset = open_dataset(cfg, args.dataset_type)
    settings = {**cfg[f'{args.dataset_type}_dataloader'], 'dataset': dataset}
    loader = Runner.build_dataloader(settings)
    if not len(loader):
        raise UserError(
            f'{args.dataset_type}_dataloader drops its last batch of '
            f'{loader.batch_size}, and has no other: the data set has {len(dataset)}'
        )
    while True:
        start = time.perf_counter()
        for _ in loader:
            yield time.perf_counter() - start
            start = time.perf_counter()


def load_samples(
    cfg: 'Config', args: argparse.Namespace, times: dict[str, list[float]]
) -> Iterator[float]:
    """Yield the seconds that each sample takes, without end.

    ``times`` gets those of the parts.

    Raises:
        UserError: If the data set is a wrapper, which has no pipeline of its own.
    """
    from mmsnn.analysis.model_inputs import open_dataset
    from mmsnn.utils.errors import UserError

    dataset = open_dataset(cfg, args.dataset_type)
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


def measure(seconds: Iterator[float], args: argparse.Namespace) -> list[list[float]]:
    """Return the seconds of each iteration of each repetition."""
    repetitions = []
    for number in range(1, args.repeat_num + 1):
        for _ in range(args.num_warmup):
            next(seconds)
        repetitions.append([next(seconds) for _ in range(args.max_iter)])
        took = median(repetitions[-1])
        print(f'repetition {number}: {1000 * took:.2f} ms, {1 / took:.1f} /s')
    return repetitions


def peak_memory() -> dict[str, float]:
    """Return the most memory this process has had, in MiB."""
    import torch

    # Linux counts KiB, macOS bytes.
    unit = 2**20 if sys.platform == 'darwin' else 2**10
    peak = {'ram': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit}
    if torch.cuda.is_available():
        peak['gpu'] = torch.cuda.max_memory_allocated() / 2**20
    return peak


def summarize(
    args: argparse.Namespace, repetitions: list[list[float]], images: int
) -> dict[str, Any]:
    """Return what is printed and saved; ``images`` are those of an iteration."""
    import numpy as np

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


def main() -> None:
    """Measure, print and save."""
    args = parse_args()
    check_numbers(args)
    cfg = _config.read_config(args)

    parts: dict[str, list[float]] = {}
    images = 1
    if args.task == 'inference':
        seconds, images = infer(cfg, args), args.batch_size
    elif args.task == 'dataloader':
        seconds = load_batches(cfg, args)
    else:
        seconds = load_samples(cfg, args, parts)
    repetitions = measure(seconds, args)
    if args.task == 'dataloader':
        images = cfg[f'{args.dataset_type}_dataloader'].batch_size
    result = summarize(args, repetitions, images)
    if parts:
        result['parts_ms'] = {k: 1000 * median(v) for k, v in parts.items()}
        for name, value in result['parts_ms'].items():
            print(f'  {name}: {value:.3f} ms')
    print(
        f'{args.task}: median {result["median_ms"]:.2f} ms an iteration of {images} '
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


if __name__ == '__main__':
    _config.run(main)
