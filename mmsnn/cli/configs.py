"""List the shipped configs with their published numbers.

All commands and `_base_` accept the names.

Examples:
    mmsnn configs
    mmsnn configs retinanet
    mmsnn configs 'cifar10/*-t4_*'
"""

import argparse
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        'pattern',
        nargs='?',
        default='',
        help='part of a name, in which * matches any characters (default: all)',
    )


def main(args: argparse.Namespace) -> None:
    """Print the configs.

    Raises:
        UserError: If no config has such a name.
    """
    from mmsnn.utils.errors import UserError

    from .common.shipped import shipped_configs

    pattern = f'*{args.pattern.lower()}*'
    found = [
        config
        for config in shipped_configs()
        if fnmatchcase(f'mmsnn::{config.name}'.lower(), pattern)
    ]
    if not found:
        raise UserError(
            f'no config has {args.pattern!r} in its name; `mmsnn configs` lists all'
        )
    for config in found:
        print(f'mmsnn::{config.name}')
        for line in (
            config.description,
            _numbers('measured', config.measured),
            _numbers('in the paper', config.reported),
            'with trained weights' if config.has_weights else '',
        ):
            if line:
                print(f'    {line}')


def _numbers(title: str, metrics: Mapping[str, Any]) -> str:
    """Return metrics as a line, or nothing if there are none."""
    shown = ', '.join(f'{name} {value}' for name, value in metrics.items())
    return f'{title}: {shown}' if shown else ''
