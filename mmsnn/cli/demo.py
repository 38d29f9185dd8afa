"""Show what a shipped detector detects, then train one from scratch.

First, the shipped spiking RetinaNet is applied to bundled images: boxes, the columns of
the SG ResNet paper's Table 4, and the energy compared with the same network without
spikes. Then the same network is trained from scratch for a number of minutes; epochs
and schedule follow from the speed of the machine. Data and results are written to data/
and work_dirs/ in the current folder.

Examples:
    mmsnn demo
    mmsnn demo --minutes 2
"""

import argparse
import time
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .common.options import OutputFolder
from .common.progress import track, working
from .common.shipped import DETECTOR

if TYPE_CHECKING:
    from mmengine.config import Config

    from mmsnn.evaluation import CocoColumns

FIRST_LOOK = 40
"""Images of the first evaluation."""
NUM_IMAGES: dict[str, Any] = {}
"""Numbers of images of the data set, if not the default."""
NUM_PICTURES = 8
BATCH_SIZE = 8
FEW_STEPS = 1500
"""With time for fewer steps, training takes crowded images and half the batch size."""
CROWD = 16
"""Maximum number of objects in a crowded image, which teaches more per step."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        '--minutes',
        type=float,
        default=10.0,
        help='training time in minutes (default: 10)',
    )
    parser.add_argument(
        '--seed', type=int, default=0, help='seed of the training (default: 0)'
    )
    parser.add_argument(
        '--work-dir',
        action=OutputFolder,
        default='work_dirs/demo',
        help='folder of the results (default: %(default)s)',
    )


def main(args: argparse.Namespace) -> None:
    """Run the demo.

    Raises:
        UserError: If an option is wrong, or something cannot be written.
    """
    from mmengine.logging import MMLogger

    from mmsnn.datasets import make_digits_detection
    from mmsnn.utils.errors import UserError
    from mmsnn.utils.shipped_configs import shipped_weights

    if not 0 < args.minutes < float('inf'):
        raise UserError(f'--minutes must be positive, but got {args.minutes}')
    MMLogger.get_current_instance().setLevel('WARNING')
    folder = Path(args.work_dir)
    weights = str(shipped_weights(DETECTOR))

    print(f'1. The shipped detector, on {FIRST_LOOK} validation images', flush=True)
    few = folder / 'first_images'
    make_digits_detection(few, num_train=1, num_val=FIRST_LOOK)
    shown = folder / 'pictures_shipped'
    show(evaluate(few, weights, 'shipped', shown))
    print(f'Pictures: {shown} (overview.png shows all)')

    print(f'\n2. Training from scratch for {args.minutes:g} minutes', flush=True)
    data = make_digits_detection(**NUM_IMAGES)
    checkpoint = train(args, data.out_dir, data.splits['train'].images)

    print(f'\n3. Both, on {data.splits["val"].images} validation images', flush=True)
    drawn = folder / 'pictures_trained'
    show(
        evaluate(data.out_dir, weights, 'shipped'),
        evaluate(data.out_dir, checkpoint, 'trained', drawn),
    )
    print(
        f'Pictures: {drawn} (overview.png shows all)\nLog: {folder / "training"}\n'
        'Next:\n'
        f'  mmsnn detect {data.out_dir}/val {DETECTOR} {checkpoint}\n'
        f'  mmsnn spikes {DETECTOR} {checkpoint}\n'
        f'  mmsnn energy {DETECTOR} {checkpoint}\n'
    )


@dataclass(frozen=True)
class Result:
    """Columns of Table 4 and energies of a detector.

    Attributes:
        columns: The columns, prefixed with the detector's name.
        energy_pj: Energy per image in pJ.
        ann_energy_pj: Energy per image of the same network without spikes in pJ.
    """

    columns: 'CocoColumns'
    energy_pj: float
    ann_energy_pj: float


def evaluate(
    data: Path, checkpoint: str, name: str, pictures: Path | None = None
) -> Result:
    """Evaluate a checkpoint on the validation images, and draw some of them."""
    from mmengine.evaluator import Evaluator

    import mmsnn  # noqa: F401
    from mmsnn.analysis import OperationCounter, estimate_energy, without_spikes
    from mmsnn.analysis.energy.energy_models import find_energy_model
    from mmsnn.analysis.model_inputs import (
        InputSource,
        build_model,
        make_batches,
        open_dataset,
    )
    from mmsnn.deploy import to_channels_last
    from mmsnn.evaluation import request_columns
    from mmsnn.reporting import draw_detections
    from mmsnn.utils.config_files import load_config
    from mmsnn.utils.dry_run import predict

    cfg = load_config(DETECTOR, data_options(data, 'test'))
    (table,) = request_columns(cfg)
    # what the framework and pycocotools print
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        number = len(list((data / 'val').glob('*.png')))
        batches = make_batches(cfg, InputSource(), number, BATCH_SIZE)
        model = build_model(cfg, checkpoint)
        to_channels_last(model)
        dataset = open_dataset(cfg, 'test')
        evaluator = Evaluator(dict(cfg.test_evaluator))
        evaluator.dataset_meta = dataset.metainfo
    predictions: list[dict[str, Any]] = []
    with OperationCounter(model) as counter:
        for batch in track(batches, f'Testing the {name} detector'):
            samples = predict(model, batch)
            evaluator.process(samples, batch)
            predictions += [sample.cpu().to_dict() for sample in samples]
    with redirect_stdout(StringIO()):
        metrics = evaluator.evaluate(number)
    if pictures is not None:
        with working('Drawing'):
            few = min(NUM_PICTURES, number)
            draw_detections(dataset, predictions, pictures, few)
    operations, costs = counter.result(), find_energy_model('SG')
    return Result(
        replace(table.filled(metrics), prefix=name),
        estimate_energy(operations, costs).total.energy_pj,
        estimate_energy(without_spikes(operations), costs).total.energy_pj,
    )


def data_options(data: Path, split: str) -> dict[str, Any]:
    """Return the settings with which a config uses another data folder."""
    options = {f'{split}_dataloader.dataset.data_root': f'{data}/'}
    if split == 'test':
        annotations = f'{data}/annotations/instances_val.json'
        options['test_evaluator.ann_file'] = annotations
    return options


def show(*results: Result) -> None:
    """Print a row for each detector, and the energies."""
    from mmsnn.evaluation import format_tables

    print(format_tables(result.columns for result in results))
    for result in results:
        print(
            f'{result.columns.prefix}: {result.energy_pj / 1e6:.1f} uJ per image; the '
            f'same network without spikes: {result.ann_energy_pj / 1e6:.1f} uJ '
            f'({result.ann_energy_pj / result.energy_pj:.2f} times as much)'
        )


def train(args: argparse.Namespace, data: Path, num_images: int) -> str:
    """Train from scratch within the time; return the path of the checkpoint."""
    from mmengine.runner import Runner

    from mmsnn.datasets import make_digits_detection
    from mmsnn.deploy import to_channels_last
    from mmsnn.engine.hooks import TimeBudgetHook

    from .common.live_line import LiveLine

    batch_size = BATCH_SIZE
    steps = round(60 * args.minutes / step_seconds(data))
    if steps < FEW_STEPS:
        batch_size //= 2
        # each image is seen twice or more
        number = max(batch_size, min(num_images, steps * BATCH_SIZE // 2))
        crowded = Path(args.work_dir, 'crowded_images')
        data = make_digits_detection(
            crowded, num_train=number, num_val=1, max_objects=CROWD
        ).out_dir
        num_images = number
    cfg = training_config(args, data, batch_size)
    # the log file has what MMEngine prints
    with redirect_stdout(StringIO()):
        runner = Runner.from_cfg(cfg)
        to_channels_last(runner.model)
        budget = TimeBudgetHook(args.minutes)
        runner.register_hook(budget)
        runner.register_hook(LiveLine(budget, num_images / batch_size))
        runner.train()
    epochs = runner.iter * batch_size / num_images
    print(f'Trained for {epochs:.1f} epochs of {num_images} images')
    return (Path(cfg.work_dir) / 'last_checkpoint').read_text('utf-8').strip()


def step_seconds(data: Path) -> float:
    """Measure a training step of ``BATCH_SIZE`` images."""
    from mmsnn.analysis.model_inputs import InputSource, build_model, make_batches
    from mmsnn.utils.config_files import load_config

    cfg = load_config(DETECTOR, data_options(data, 'test'))
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        model: Any = build_model(cfg).train()
        (batch,) = make_batches(cfg, InputSource(), BATCH_SIZE, BATCH_SIZE)
    inputs = model.data_preprocessor(batch, True)
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        model.parse_losses(model(**inputs, mode='loss'))[0].backward()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def training_config(args: argparse.Namespace, data: Path, batch_size: int) -> 'Config':
    """Return the detector's config for training within a time budget."""
    from mmdet.utils import register_all_modules

    from mmsnn.utils.config_files import load_config
    from mmsnn.utils.resume import use_atomic_checkpoints

    register_all_modules()
    cfg = load_config(DETECTOR, data_options(data, 'train'))
    cfg.work_dir = str(Path(args.work_dir, 'training'))
    cfg.randomness.seed = args.seed
    # TimeBudgetHook ends it and sets the learning rate
    cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=10**9)
    cfg.param_scheduler = None
    cfg.train_dataloader.batch_size = batch_size
    cfg.train_dataloader.sampler.type = 'InfiniteSampler'
    for name in ('val', 'test'):
        for part in ('cfg', 'dataloader', 'evaluator'):
            cfg[f'{name}_{part}'] = None
    cfg.default_hooks.checkpoint.update(by_epoch=False, interval=10**9)
    cfg.log_processor.by_epoch = False
    use_atomic_checkpoints(cfg)
    return cfg
