"""What the tools that need a config, and no report, share."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

# tools/, for _cli
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import _cli  # noqa: E402

if TYPE_CHECKING:
    from mmengine.config import Config

    from mmsnn.analysis.model_inputs import InputSource

run = _cli.run
note = _cli.note
OutputFolder = _cli.OutputFolder
OutputFile = _cli.OutputFile


def add_config_options(parser: argparse.ArgumentParser) -> None:
    """Add the config and what overrides its settings."""
    parser.add_argument('config', help='path of the config, or mmsnn::FOLDER/FILE')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=_cli._CfgOptions,
        metavar='KEY=VALUE',
        help='override settings of the config, as of tools/train.py',
    )


def add_shape_option(parser: argparse.ArgumentParser) -> None:
    """Add the shape of noise that takes the place of the test set's images."""
    parser.add_argument(
        '--shape',
        nargs='+',
        type=int,
        metavar='PIXELS',
        help='take noise of HEIGHT WIDTH, or of one number for both, in place of the '
        "test set's images",
    )


def get_source(shape: list[int] | None) -> 'InputSource':
    """Return where the images come from.

    Raises:
        UserError: If the shape is not one.
    """
    from mmsnn.analysis.model_inputs import InputSource
    from mmsnn.utils.errors import UserError

    if shape is None:
        return InputSource('dataset')
    if len(shape) > 2 or min(shape) < 1:
        raise UserError(
            '--shape takes one number or HEIGHT WIDTH, each at least 1, but got '
            + ' '.join(map(str, shape))
        )
    return InputSource('random', size=(shape[0], shape[-1]))


def read_config(args: argparse.Namespace) -> 'Config':
    """Read the config and make its scope the default one.

    Raises:
        UserError: If it is missing or broken, or an option does not fit into it.
    """
    from mmdet.utils import register_all_modules
    from mmengine.registry import init_default_scope

    import mmsnn  # noqa: F401
    from mmsnn.utils.preflight import load_config

    cfg = load_config(args.config, args.cfg_options)
    register_all_modules(init_default_scope=False)
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    return cfg


def forget_pretrained(node: Any) -> None:
    """Remove each initialiser that loads weights from a model's config, in place.

    How much a model computes does not depend on them, and they may be far away.
    """
    from mmsnn.utils.preflight import loads_weights

    if isinstance(node, dict):
        init_cfg = node.get('init_cfg')
        if isinstance(init_cfg, dict) and loads_weights(init_cfg):
            node.pop('init_cfg')
    children = node.values() if isinstance(node, dict) else node
    if isinstance(node, dict | list | tuple):
        for child in children:
            forget_pretrained(child)


def pipeline_of(cfg: 'Config', split: str) -> list[str]:
    """Return the names, without scope, of the transforms of a data set."""
    from mmsnn.utils.preflight import innermost_dataset

    dataset = innermost_dataset(cfg[f'{split}_dataloader'].dataset)
    kinds = [step['type'] for step in dataset.get('pipeline') or ()]
    return [str(getattr(kind, '__name__', kind)).rpartition('.')[2] for kind in kinds]
