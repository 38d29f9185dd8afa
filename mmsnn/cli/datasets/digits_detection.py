"""Make the bundled digits detection set, in COCO's format.

Handwritten digits on photographs, both shipped with scikit-learn; nothing is
downloaded. A complete set with the same options is left as it is.

Examples:
    mmsnn datasets digits-detection
    mmsnn datasets digits-detection --out-dir data/small --num-train 100 --num-val 20
"""

import argparse
import time


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        '--out-dir',
        default='data/digits_detection',
        help='folder to write to (default: %(default)s)',
    )
    parser.add_argument(
        '--image-size',
        type=int,
        default=128,
        help='side of the images in pixels (default: %(default)s)',
    )
    parser.add_argument(
        '--num-train',
        type=int,
        default=2000,
        help='number of training images (default: %(default)s)',
    )
    parser.add_argument(
        '--num-val',
        type=int,
        default=200,
        help='number of validation images (default: %(default)s)',
    )
    parser.add_argument(
        '--seed',
        type=int,
        default=0,
        help='random seed (default: %(default)s)',
    )
    parser.add_argument(
        '--max-objects',
        type=int,
        default=6,
        help='maximum number of objects per image (default: %(default)s)',
    )


def main(args: argparse.Namespace) -> None:
    """Make the data set and print the numbers of its images and objects."""
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
