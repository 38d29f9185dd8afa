"""Make the bundled digits detection set, in COCO's format.

Handwritten digits on photographs, both shipped with scikit-learn; nothing is
downloaded. A set that is complete with the same options is left alone. Usage:
    python tools/dataset_tools/digits_detection.py [--out-dir data/digits_detection]
        [--image-size 128] [--num-train 2000] [--num-val 200] [--seed 0]
        [--max-objects 6]
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
        description='Make the bundled digits detection set',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        '--out-dir', default='data/digits_detection', help='folder to write to'
    )
    parser.add_argument(
        '--image-size', type=int, default=128, help='side of the images in pixels'
    )
    parser.add_argument(
        '--num-train', type=int, default=2000, help='number of training images'
    )
    parser.add_argument(
        '--num-val', type=int, default=200, help='number of validation images'
    )
    parser.add_argument(
        '--seed', type=int, default=0, help='of everything that is random'
    )
    parser.add_argument(
        '--max-objects', type=int, default=6, help='most objects in an image'
    )
    return parser.parse_args()


def main() -> None:
    """Make the data set and print what it has."""
    args = parse_args()
    from mmsnn.datasets import make_digits_detection
    from mmsnn.utils.errors import UserError

    started = time.monotonic()
    try:
        summary = make_digits_detection(**vars(args))
    except (ImportError, OSError, TypeError, ValueError) as error:
        raise UserError(str(error)) from error
    if summary.created:
        print(f'Made {summary.out_dir} in {time.monotonic() - started:.1f} s:')
    else:
        print(f'{summary.out_dir} is complete with these options, left as it is:')
    for name, split in summary.splits.items():
        print(
            f'  {name:5} {split.images} images, {split.objects} objects: '
            f'{split.small} small, {split.medium} medium, {split.large} large'
        )


if __name__ == '__main__':
    _cli.run(main)
