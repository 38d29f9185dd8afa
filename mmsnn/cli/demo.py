"""Train and test a spiking RetinaNet on bundled data.

Makes the digits detection set, trains a spiking RetinaNet on it, evaluates it, draws
what it detects, and prints the columns of the SG ResNet paper's Table 4. Data and runs
are written to data/ and work_dirs/ of the current folder.

Examples:
    mmsnn demo
    mmsnn demo --decoder rate --num-train 200 --epochs 1
"""

import argparse
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

import mmsnn

from .common.options import OutputFolder
from .common.shipped import configs_folder

CONFIG = 'spiking_retinanet/spiking-retinanet_sg-r10-{}_fpn_1xb8-8e_digits.py'


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        '--decoder',
        choices=['asd', 'rate'],
        default='asd',
        help='how spikes are decoded (default: asd)',
    )
    parser.add_argument(
        '--seed', type=int, default=0, help='of the training (default: 0)'
    )
    parser.add_argument(
        '--data-seed', type=int, default=0, help='of the data set (default: 0)'
    )
    parser.add_argument(
        '--work-dir',
        action=OutputFolder,
        help='folder of the run (default: work_dirs/demo_DECODER_seedSEED)',
    )
    parser.add_argument(
        '--num-pictures',
        type=int,
        default=8,
        help='validation images to draw (default: 8)',
    )
    parser.add_argument('--num-train', type=int, help='images to train on')
    parser.add_argument('--num-val', type=int, help='images to evaluate on')
    parser.add_argument('--epochs', type=int, help="epochs, if not the config's")


def run_command(*words: str) -> None:
    """Run another command in a separate process; exit if it fails."""
    print(f'$ mmsnn {shlex.join(words)}', flush=True)
    # so that a checkout that is not installed is found, too
    package = str(Path(mmsnn.__file__).parents[1])
    path = os.pathsep.join(filter(None, [package, os.environ.get('PYTHONPATH')]))
    code = subprocess.run(
        [sys.executable, '-m', 'mmsnn', *words], env={**os.environ, 'PYTHONPATH': path}
    ).returncode
    if code:
        raise SystemExit(code)


def dataset_options(args: argparse.Namespace) -> list[str]:
    """Return the options of the command that makes the data set."""
    options = ['--seed', str(args.data_seed)]
    for name in ('num_train', 'num_val'):
        number = getattr(args, name)
        if number is not None:
            options += [f'--{name.replace("_", "-")}', str(number)]
    return options


def draw(config: str, dumped: Path, out_dir: Path, num_pictures: int) -> list[Path]:
    """Draw validation images with their true and predicted boxes."""
    from mmdet.registry import DATASETS
    from mmdet.utils import register_all_modules

    from mmsnn.reporting import draw_detections
    from mmsnn.utils.config_files import load_config
    from mmsnn.utils.safe_loading import load_predictions

    register_all_modules()
    cfg = load_config(config)
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    return draw_detections(dataset, load_predictions(dumped), out_dir, num_pictures)


def report(work_dir: Path) -> None:
    """Print the columns again, after the output of the frameworks."""
    from mmsnn.evaluation import format_tables, read_tables

    print(f'\n{format_tables(read_tables(work_dir / "coco_columns.json"))}')


def main(args: argparse.Namespace) -> None:
    """Run the demo."""
    started = time.monotonic()
    config = str(configs_folder() / CONFIG.format(args.decoder))
    name = args.work_dir or f'work_dirs/demo_{args.decoder}_seed{args.seed}'
    work_dir = Path(name).resolve()

    run_command('datasets', 'digits-detection', *dataset_options(args))
    settings = [f'randomness.seed={args.seed}']
    if args.epochs is not None:
        settings.append(f'train_cfg.max_epochs={args.epochs}')
    in_work_dir = ('--work-dir', str(work_dir))
    run_command('train', config, *in_work_dir, '--cfg-options', *settings)
    checkpoint = (work_dir / 'last_checkpoint').read_text().strip()
    dumped = work_dir / 'predictions.pkl'
    run_command('test', config, checkpoint, *in_work_dir, '--out', str(dumped))
    pictures = draw(config, dumped, work_dir / 'pictures', args.num_pictures)

    report(work_dir)
    minutes = (time.monotonic() - started) / 60
    print(f'Done in {minutes:.1f} min.')
    print(f'Run:      {work_dir}')
    print(f'Pictures: {pictures[-1].parent} ({pictures[-1].name} shows all)')
