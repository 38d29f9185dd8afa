"""Options that prepare models for deployment."""

import argparse
from typing import TYPE_CHECKING

from .exit_codes import note

if TYPE_CHECKING:
    from torch import nn


def add_deploy_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that fold norms and reduce the backbone's precision."""
    parser.add_argument(
        '--fold-norms',
        action='store_true',
        help='fold norms into the preceding convolutions, which is faster',
    )
    parser.add_argument(
        '--bf16',
        action='store_true',
        help='run the spiking backbone in bf16 if the processor has instructions for '
        'it, otherwise in fp32, which is then faster',
    )
    parser.add_argument(
        '--force-bf16',
        action='store_true',
        help='run it in bf16 on any processor',
    )
    parser.add_argument(
        '--int8',
        action='store_true',
        help="quantise the spiking backbone's weights to int8; implies --fold-norms",
    )


def check_deploy_options(args: argparse.Namespace) -> None:
    """Check that the options fit together.

    Raises:
        UserError: If they do not.
    """
    from mmsnn.utils.errors import UserError

    if args.int8 and (args.bf16 or args.force_bf16):
        raise UserError('--int8 and --bf16 exclude each other')


def deploy_settings(args: argparse.Namespace) -> tuple[bool, bool, bool]:
    """Return what :func:`mmsnn.deploy.preparation.prepare` takes: fold, bf16, int8.

    bf16 is False on processors without instructions for it, unless it is forced.
    """
    from mmsnn.utils.cpu import multiplies_bf16

    bf16 = args.bf16 or args.force_bf16
    if bf16 and not (args.force_bf16 or multiplies_bf16()):
        note(
            'this processor has no instructions for bf16: using fp32, which is several '
            'times as fast (--force-bf16 uses bf16)'
        )
        bf16 = False
    return args.fold_norms or args.int8, bf16, args.int8


def deploy(args: argparse.Namespace, model: 'nn.Module') -> 'nn.Module':
    """Return the model prepared for deployment, or unchanged without options.

    Raises:
        UserError: If the backbone is not from mmsnn.
    """
    from mmsnn.deploy.preparation import prepare

    settings = deploy_settings(args)
    return prepare(model, *settings)[0] if any(settings) else model
