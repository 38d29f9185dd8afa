"""Make the frames of an event data set before training.

Existing frames are kept, so that the same command resumes an interrupted run. Damaged
files are skipped and listed at the end.

Examples:
    mmsnn datasets events cifar10_dvs data/cifar10_dvs --num-steps 16 --workers 4
    mmsnn datasets events dvs128_gesture data/dvs128_gesture
"""

import argparse
import time


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument('dataset', help='cifar10_dvs or dvs128_gesture')
    parser.add_argument('data_root', help='folder of the extracted data set')
    parser.add_argument(
        '--num-steps',
        type=int,
        default=16,
        help='number of frames per sample (default: %(default)s)',
    )
    parser.add_argument(
        '--workers',
        type=int,
        default=1,
        help='number of processes (default: %(default)s)',
    )
    parser.add_argument(
        '--cache-dir',
        help='folder of the frames, which LoadEventFrames must be given as well '
        '(default: DATA_ROOT/event_frames)',
    )


def main(args: argparse.Namespace) -> None:
    """Make the frames and print how many there are."""
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
