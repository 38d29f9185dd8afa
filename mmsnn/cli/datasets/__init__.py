"""Make data sets, or prepare them before training.

Examples:
    mmsnn datasets digits-detection
    mmsnn datasets event-digits
    mmsnn datasets events cifar10_dvs data/cifar10_dvs
"""

import argparse

from mmsnn.cli.common.parser import add_command


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add a command for each kind of data set."""
    commands = parser.add_subparsers(title='data sets', metavar='NAME', required=True)
    add_command(commands, 'digits-detection', f'{__name__}.digits_detection')
    add_command(commands, 'event-digits', f'{__name__}.event_digits')
    add_command(commands, 'events', f'{__name__}.events')
