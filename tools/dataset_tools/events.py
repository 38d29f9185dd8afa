"""Make the frames of an event data set ahead of training.

What is there already is kept: an interrupted run is resumed by the same command. Where
files are damaged, all others are prepared, and the damaged ones are named. Usage:
    python tools/dataset_tools/events.py cifar10_dvs|dvs128_gesture DATA_ROOT
        [--num-steps 16] [--workers 1] [--cache-dir DATA_ROOT/event_frames]
"""

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import _cli  # noqa: E402


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description='Make the frames of an event data set',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument('dataset', help='cifar10_dvs or dvs128_gesture')
    parser.add_argument('data_root', help='folder of the extracted data set')
    parser.add_argument(
        '--num-steps', type=int, default=16, help='number of frames of a sample'
    )
    parser.add_argument('--workers', type=int, default=1, help='number of processes')
    parser.add_argument(
        '--cache-dir',
        help='folder to keep frames in, if not DATA_ROOT/event_frames; give the same '
        'to LoadEventFrames',
    )
    return parser.parse_args()


def main() -> None:
    """Make the frames and print how many there are."""
    args = parse_args()
    from mmsnn.datasets import prepare_event_frames
    from mmsnn.utils.errors import UserError

    started = time.monotonic()
    try:
        prepared = prepare_event_frames(**vars(args), progress=True)
    except (ImportError, OSError, TypeError, ValueError) as error:
        raise UserError(str(error)) from error
    counts = ', '.join(f'{n} {split}' for split, n in prepared.samples.items())
    print(
        f'{prepared.folder}: {counts} samples, {prepared.made} of them made in '
        f'{time.monotonic() - started:.1f} s'
    )


if __name__ == '__main__':
    _cli.run(main)
