"""Options, model and images of the commands that export."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mmsnn.cli.common.exit_codes import note
from mmsnn.cli.common.options import OutputFile, add_config_options
from mmsnn.cli.common.progress import progress

if TYPE_CHECKING:
    from mmengine.config import Config
    from torch import nn

    from mmsnn.analysis.model_inputs import Batches


def add_options(
    parser: argparse.ArgumentParser, suffix: str, optional_checkpoint: bool = False
) -> None:
    """Add the config, the checkpoint, the output and the images of the check."""
    add_config_options(parser)
    if optional_checkpoint:
        text = 'path of the checkpoint (default: initial weights)'
        parser.add_argument('checkpoint', nargs='?', help=text)
    else:
        parser.add_argument('checkpoint', help='path of the checkpoint')
    parser.add_argument(
        '--out',
        type=Path,
        required=True,
        action=OutputFile,
        metavar='FILE',
        help=f'file to write, ending in {suffix}',
    )
    parser.add_argument(
        '--images',
        metavar='DIR',
        help="compare on the images in this folder instead of the config's test set",
    )
    parser.add_argument(
        '--num-images',
        type=int,
        default=8,
        help='number of images for the comparison (default: 8)',
    )


def load(args: argparse.Namespace, suffix: str) -> 'tuple[Config, nn.Module, Batches]':
    """Read the config, the model and the images of the check.

    Raises:
        UserError: If they cannot be read, or an option is invalid.
    """
    from mmsnn.analysis.model_inputs import InputSource, build_model, make_batches
    from mmsnn.cli.common.read_config import read_config
    from mmsnn.utils.errors import UserError

    if args.out.suffix != suffix:
        raise UserError(f'--out must end in {suffix}, but got {str(args.out)!r}')
    if args.num_images < 1:
        raise UserError(f'--num-images must be at least 1, but got {args.num_images}')
    cfg = read_config(args)
    source = InputSource('dataset')
    if args.images is not None:
        source = InputSource('folder', folder=Path(args.images).expanduser())
    batches = make_batches(cfg, source, args.num_images)
    progress('Building the model')
    return cfg, build_model(cfg, args.checkpoint, note), batches
