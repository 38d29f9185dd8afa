"""Convert a ResNet's weights for a spiking ResNet.

CHECKPOINT is from torchvision, SpikingJelly or the authors of SEW ResNet: a path, or
another source that MMEngine loads, such as torchvision://resnet18. Use OUT in load_from
or in init_cfg=dict(type='Pretrained', checkpoint=OUT, prefix='backbone.'). If the model
is a classifier, its linear head is converted as well.

Examples:
    mmsnn convert CONFIG torchvision://resnet18 weights.pth
    mmsnn convert CONFIG sew18_checkpoint.pth weights.pth --drop-classifier
"""

import argparse
import hashlib
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from .common.options import OutputFile, add_config
from .common.progress import working

if TYPE_CHECKING:
    from torch import nn


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add_config(parser)
    parser.add_argument(
        'checkpoint', help='path or URL of the weights, or torchvision://resnet18'
    )
    parser.add_argument(
        'out',
        type=Path,
        action=OutputFile,
        help='file to write, which must not exist',
    )
    parser.add_argument(
        '--drop-classifier',
        action='store_true',
        help="do not convert a classifier's head, for example for other classes",
    )


def build_model(path: str) -> 'nn.Module':
    """Build the model of a config, on the CPU.

    Raises:
        UserError: If the config defines none or it cannot be built.
    """
    from mmengine.registry import MODELS, init_default_scope

    from mmsnn.utils.config_files import load_config
    from mmsnn.utils.errors import UserError
    from mmsnn.utils.failures import explain_building

    cfg = load_config(path)
    if cfg.get('model') is None:
        raise UserError(f'config {path!r} defines no model')
    init_default_scope(cfg.get('default_scope') or 'mmengine')
    with explain_building(f'config {path!r}'):
        return MODELS.build(cfg.model)


def describe_source(checkpoint: str) -> dict[str, str]:
    """Return the source of the weights: name and, for a local file, SHA-256."""
    from mmsnn.utils.paths import is_remote

    if is_remote(checkpoint):
        return dict(source=checkpoint)
    path = Path(checkpoint).expanduser()
    with path.open('rb') as file:
        digest = hashlib.file_digest(file, 'sha256').hexdigest()
    return dict(source=path.name, source_sha256=digest)


def main(args: argparse.Namespace) -> None:
    """Convert the weights and save them."""
    import torch

    from mmsnn.models.initializers.published_weights import (
        ClassifierMismatchError,
        convert_model,
    )
    from mmsnn.utils.atomic_files import write_atomically
    from mmsnn.utils.checkpoints import enumerate_some, read_weights
    from mmsnn.utils.errors import UserError
    from mmsnn.version import __version__

    if args.out.exists():
        raise UserError(f'{str(args.out)!r} already exists')
    with working('Building the model'):
        model = build_model(args.config)
    state = read_weights(args.checkpoint)
    try:
        weights, skipped = convert_model(state, model, not args.drop_classifier)
    except UserError:
        raise
    except ValueError as error:
        hint = ''
        if isinstance(error, ClassifierMismatchError):
            hint = '; --drop-classifier does not convert the head'
        raise UserError(f'checkpoint {args.checkpoint!r}: {error}{hint}') from error
    content = BytesIO()
    meta = dict(describe_source(args.checkpoint), mmsnn_version=__version__)
    torch.save(dict(meta=meta, state_dict=weights), content)
    try:
        write_atomically(args.out, content.getvalue())
    except OSError as error:
        raise UserError(f'cannot write {str(args.out)!r}: {error}') from error
    print(f'Saved {len(weights)} tensors to {args.out}')
    if skipped:
        print(f'Left out: {enumerate_some(skipped)}')
