"""The whole way in one command: data, training, evaluation, pictures.

Makes the digits detection set, trains a spiking RetinaNet on it with tools/train.py,
evaluates it with tools/test.py, draws what it detects, and prints the columns of the
SG ResNet paper's Table 4. Usage:
    python tools/demo.py [--decoder asd|rate] [--seed 0] [--data-seed 0]
        [--work-dir DIR] [--num-pictures 8] [--num-train 2000] [--num-val 200]
        [--epochs 8]

Data and runs go to data/ and work_dirs/ of the current folder.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

import _cli

PROJECT = Path(__file__).resolve().parents[1]
CONFIG = 'configs/spiking_retinanet/spiking-retinanet_sg-r10-{}_fpn_1xb8-8e_digits.py'


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description='Train and test a spiking RetinaNet')
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
        action=_cli.OutputFolder,
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
    return parser.parse_args()


def run_tool(tool: str, *options: str) -> None:
    """Run another tool with this interpreter; its failure ends the demo."""
    command = [sys.executable, str(PROJECT / 'tools' / tool), *options]
    print('$ python', *(str(part) for part in command[1:]), flush=True)
    code = subprocess.run(command).returncode
    if code:
        raise SystemExit(code)


def dataset_options(args: argparse.Namespace) -> list[str]:
    """Return the options of the data set's tool."""
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
    from mmsnn.utils.preflight import load_config
    from mmsnn.utils.safe_loading import load_predictions

    register_all_modules()
    cfg = load_config(config)
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    return draw_detections(dataset, load_predictions(dumped), out_dir, num_pictures)


def report(work_dir: Path) -> None:
    """Print the columns once more, where the frameworks' output does not bury them."""
    from mmsnn.evaluation import format_tables, read_tables

    print(f'\n{format_tables(read_tables(work_dir / "coco_columns.json"))}')


def main() -> None:
    """Run the demo."""
    args = parse_args()
    started = time.monotonic()
    config = str(PROJECT / CONFIG.format(args.decoder))
    name = args.work_dir or f'work_dirs/demo_{args.decoder}_seed{args.seed}'
    work_dir = Path(name).resolve()

    run_tool('dataset_tools/digits_detection.py', *dataset_options(args))
    settings = [f'randomness.seed={args.seed}']
    if args.epochs is not None:
        settings.append(f'train_cfg.max_epochs={args.epochs}')
    in_work_dir = ('--work-dir', str(work_dir))
    run_tool('train.py', config, *in_work_dir, '--cfg-options', *settings)
    checkpoint = (work_dir / 'last_checkpoint').read_text().strip()
    dumped = work_dir / 'predictions.pkl'
    run_tool('test.py', config, checkpoint, *in_work_dir, '--out', str(dumped))
    pictures = draw(config, dumped, work_dir / 'pictures', args.num_pictures)

    report(work_dir)
    minutes = (time.monotonic() - started) / 60
    print(f'Done in {minutes:.1f} min.')
    print(f'Run:      {work_dir}')
    print(f'Pictures: {pictures[-1].parent} ({pictures[-1].name} shows all)')


if __name__ == '__main__':
    _cli.run(main)
