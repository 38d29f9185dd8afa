"""Make the bundled event detection set, in Prophesee's format.

Handwritten digits that move in front of photographs, both shipped with scikit-learn,
recorded by a simulated event camera; nothing is downloaded. A complete set with the
same options is left as it is.

Examples:
    mmsnn datasets event-digits
    mmsnn datasets event-digits --out-dir data/small --num-train 10 --num-val 5
"""

import argparse
import time


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        '--out-dir',
        default='data/event_digits',
        help='folder to write to (default: %(default)s)',
    )
    parser.add_argument(
        '--num-train',
        type=int,
        default=140,
        help='number of training recordings (default: %(default)s)',
    )
    parser.add_argument(
        '--num-val',
        type=int,
        default=30,
        help='number of validation recordings (default: %(default)s)',
    )
    parser.add_argument(
        '--seed',
        type=int,
        default=0,
        help='random seed (default: %(default)s)',
    )


def main(args: argparse.Namespace) -> None:
    """Make the data set."""
    from mmsnn.datasets import make_event_digits
    from mmsnn.utils.errors import UserError

    started = time.monotonic()
    try:
        created = make_event_digits(**vars(args))
    except (ImportError, OSError, TypeError, ValueError) as error:
        raise UserError(str(error)) from error
    if created:
        print(f'Made {args.out_dir} in {time.monotonic() - started:.1f} s')
    else:
        print(f'{args.out_dir} is complete with these options, left as it is')
