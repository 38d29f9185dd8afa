"""Convert a ResNet's weights for the spiking ResNet of a config.

CHECKPOINT is torchvision's, SpikingJelly's or the SEW authors', as a path or as what
MMEngine loads, such as torchvision://resnet18. OUT is for ``load_from`` or for
``init_cfg=dict(type='Pretrained', checkpoint=OUT, prefix='backbone.')``. If the model
is a classifier, its linear head is filled, too. Usage:
    python tools/model_converters/resnet.py CONFIG CHECKPOINT OUT [--drop-classifier]
"""

import argparse
import hashlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import _cli  # noqa: E402

if TYPE_CHECKING:
    from torch import Tensor, nn


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description="Convert a ResNet's weights for the spiking ResNet of a config"
    )
    parser.add_argument('config', help='path of the config, or mmsnn::FOLDER/FILE')
    parser.add_argument(
        'checkpoint', help='path or URL of the weights, or torchvision://resnet18'
    )
    parser.add_argument(
        'out',
        type=Path,
        action=_cli.OutputFile,
        help='file to write, which must not exist',
    )
    parser.add_argument(
        '--drop-classifier',
        action='store_true',
        help="leave a classifier's head as it is, as for another set of classes",
    )
    return parser.parse_args()


def build_model(path: str) -> 'nn.Module':
    """Build the model of a config, on the CPU.

    Raises:
        UserError: If the config defines none or it cannot be built.
    """
    from mmengine.registry import MODELS, init_default_scope

    from mmsnn.utils.errors import UserError
    from mmsnn.utils.failures import explain_building
    from mmsnn.utils.preflight import load_config

    cfg = load_config(path)
    if cfg.get('model') is None:
        raise UserError(f'config {path!r} does not define model')
    init_default_scope(cfg.get('default_scope') or 'mmengine')
    with explain_building(f'config {path!r}'):
        return MODELS.build(cfg.model)


def convert(
    state: dict[str, Any], model: 'nn.Module', drop_classifier: bool
) -> tuple[dict[str, 'Tensor'], list[str]]:
    """Return the weights by the model's names, and the keys that were left out.

    Raises:
        UserError: If the model's backbone is not a spiking ResNet.
        ValueError: If the weights do not fit.
    """
    from mmsnn.models import ResNetSNN
    from mmsnn.models.initializers.published_weights import (
        classifier_keys,
        convert_classifier,
        convert_resnet,
        left_out,
    )
    from mmsnn.utils.errors import UserError

    backbone = getattr(model, 'backbone', None)
    if not isinstance(backbone, ResNetSNN):
        raise UserError(
            "the model's backbone must be a spiking ResNet, but it is "
            f'{type(backbone).__name__}'
        )
    weights = {
        f'backbone.{name}': value
        for name, value in convert_resnet(state, backbone).items()
    }
    skipped = left_out(state, backbone)
    # detectors name their heads otherwise
    head = None if drop_classifier else getattr(model, 'head', None)
    if head is not None:
        try:
            filled = convert_classifier(state, head)
        except ValueError as error:
            raise ValueError(
                f'{error}; --drop-classifier leaves the head as it is'
            ) from error
        weights |= {f'head.{name}': value for name, value in filled.items()}
        kept = set(classifier_keys(state))
        skipped = [key for key in skipped if key not in kept]
    return weights, skipped


def describe_source(checkpoint: str) -> dict[str, str]:
    """Return where the weights came from: name and, of a file here, SHA-256."""
    from mmsnn.utils.preflight import is_remote

    if is_remote(checkpoint):
        return dict(source=checkpoint)
    path = Path(checkpoint).expanduser()
    with path.open('rb') as file:
        digest = hashlib.file_digest(file, 'sha256').hexdigest()
    return dict(source=path.name, source_sha256=digest)


def save(content: dict[str, Any], out: Path) -> None:
    """Write ``out`` completely or not at all."""
    import torch

    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f'{out.name}.{os.getpid()}.part')
    try:
        torch.save(content, part)
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)


def main() -> None:
    """Convert."""
    args = parse_args()
    from mmsnn import __version__
    from mmsnn.utils.checkpoints import enumerate_some, read_weights
    from mmsnn.utils.errors import UserError

    if args.out.exists():
        raise UserError(f'{str(args.out)!r} exists already')
    model = build_model(args.config)
    state = read_weights(args.checkpoint)
    try:
        weights, skipped = convert(state, model, args.drop_classifier)
    except UserError:
        raise
    except ValueError as error:
        raise UserError(f'checkpoint {args.checkpoint!r}: {error}') from error
    meta = dict(describe_source(args.checkpoint), mmsnn_version=__version__)
    try:
        save(dict(meta=meta, state_dict=weights), args.out)
    except OSError as error:
        raise UserError(f'cannot write {str(args.out)!r}: {error}') from error
    print(f'Saved {len(weights)} tensors to {args.out}')
    if skipped:
        print(f'Left out: {enumerate_some(skipped)}')


if __name__ == '__main__':
    _cli.run(main)
