"""Options, model, inputs and report of the analysis commands."""

import argparse
import platform
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmsnn._compat import DEPENDENCIES, installed_version, is_installed
from mmsnn.version import __version__

from .exit_codes import note
from .options import add_config_options
from .progress import progress

if TYPE_CHECKING:
    from mmengine.config import Config
    from torch import nn

    from mmsnn.analysis.model_inputs import Batches, InputSource
    from mmsnn.reporting.report import Report


def add_input_options(parser: argparse.ArgumentParser, name: str) -> None:
    """Add the config, the checkpoint and the options that select the images.

    Args:
        parser: The parser to which they are added.
        name: Name of the report's folder, if ``--out-dir`` is not given.
    """
    parser.set_defaults(report_name=name)
    add_config_options(parser)
    parser.add_argument(
        'checkpoint',
        nargs='?',
        help='path of the checkpoint (default: initial weights)',
    )
    parser.add_argument(
        '--images',
        metavar='DIR',
        help="use the images in this folder instead of the config's test set",
    )
    parser.add_argument(
        '--random',
        nargs='*',
        type=int,
        metavar='PIXELS',
        help='use random noise: of the size that the config defines, or of HEIGHT '
        'WIDTH pixels, or of one number for both',
    )
    parser.add_argument(
        '--num-images',
        type=int,
        default=8,
        help='maximum number of images (default: %(default)s)',
    )
    parser.add_argument(
        '--batch-size', type=int, default=1, help='images per batch (default: 1)'
    )
    parser.add_argument(
        '--seed',
        type=int,
        default=0,
        help='seed of noise and initial weights (default: 0)',
    )
    parser.add_argument(
        '--out-dir',
        help='folder of the report '
        f'(default: work_dirs/NAME_OF_CONFIG/analysis/{name})',
    )


def load(
    args: argparse.Namespace,
) -> 'tuple[Config, nn.Module, Batches, dict[str, str]]':
    """Read the config, build the model and the batches, and collect facts.

    Returns:
        The config; the model in eval mode; the batches, each for ``model.test_step``;
        facts about them for the report.

    Raises:
        UserError: If any of them cannot be read or built.
    """
    from mmengine.runner import set_random_seed

    import mmsnn  # noqa: F401
    from mmsnn.analysis.model_inputs import build_model, make_batches
    from mmsnn.utils.config_files import load_config
    from mmsnn.utils.outputs import check_folder

    source = _source(args)
    check_folder(_out_dir(args), '--out-dir')
    cfg = load_config(args.config, args.cfg_options)
    batches = make_batches(cfg, source, args.num_images, args.batch_size, args.seed)
    if batches.num_images < batches.requested:
        note(
            f'--num-images {batches.requested}: there are only {batches.num_images} '
            'images'
        )
    progress('Building the model')
    set_random_seed(args.seed)
    model = build_model(cfg, args.checkpoint, note)
    checkpoint = args.checkpoint or _initialised(cfg, args.seed)
    facts = describe_run(args, model, batches.source, checkpoint)
    return cfg, model, batches, facts


def describe_run(
    args: argparse.Namespace, model: 'nn.Module', images: str, checkpoint: str
) -> dict[str, str]:
    """Return the facts of a report: what is analysed, by which versions and command."""
    facts = {
        'Config': str(args.config),
        'Checkpoint': checkpoint,
        'Images': images,
        'Time steps': _time_steps(model),
        'Versions': versions(),
        'Command': command_line(),
    }
    if args.cfg_options:
        facts['Settings'] = ', '.join(
            f'{key}={value}' for key, value in args.cfg_options.items()
        )
    return facts


def _source(args: argparse.Namespace) -> 'InputSource':
    """Return the source of images that ``--images`` and ``--random`` select.

    Raises:
        UserError: If both are given, or the size is invalid.
    """
    from mmsnn.analysis.model_inputs import InputSource
    from mmsnn.utils.errors import UserError

    if args.images is not None and args.random is not None:
        raise UserError('--images and --random exclude each other')
    if args.images is not None:
        return InputSource('folder', folder=Path(args.images).expanduser())
    if args.random is None:
        return InputSource('dataset')
    sides = args.random * 2 if len(args.random) == 1 else args.random
    if len(sides) not in (0, 2) or any(side < 1 for side in sides):
        raise UserError(
            '--random takes no value, one number or HEIGHT WIDTH, each at least 1, but '
            f'got {" ".join(map(str, args.random))}'
        )
    return InputSource('random', size=(sides[0], sides[1]) if sides else None)


def _initialised(cfg: 'Config', seed: int) -> str:
    """Return a description of the weights of a model without a checkpoint."""
    if _has_initial_weights(cfg.model):
        return f'none (weights that the config initialises from a file, seed {seed})'
    return f'none (untrained, initial weights, seed {seed})'


def _has_initial_weights(node: Any) -> bool:
    """Return whether something in a model's config is initialised from a file."""
    from mmsnn.utils.preflight import loads_weights

    if isinstance(node, Mapping):
        return loads_weights(node) or any(map(_has_initial_weights, node.values()))
    return isinstance(node, list | tuple) and any(map(_has_initial_weights, node))


def _time_steps(model: 'nn.Module') -> str:
    """Return the number of time steps T of the model's neurons."""
    from mmsnn.models.neurons import BaseNeuron

    steps = {
        module.num_steps for module in model.modules() if isinstance(module, BaseNeuron)
    }
    return ', '.join(map(str, sorted(steps))) or 'none (not a spiking model)'


def versions() -> str:
    """Return the versions that the numbers may depend on."""
    shown = [f'mmsnn {__version__}']
    for dependency in DEPENDENCIES:
        if is_installed(dependency.module):
            shown.append(f'{dependency.module} {installed_version(dependency)}')
    return ', '.join([*shown, f'python {platform.python_version()}'])


def command_line() -> str:
    """Return the command line as the user typed it."""
    start = Path(sys.argv[0])
    if start.name in ('mmsnn', '__main__.py'):
        return shlex.join(['mmsnn', *sys.argv[1:]])
    return shlex.join(['python', *sys.argv])


def _out_dir(args: argparse.Namespace) -> Path:
    """Return the folder of the report."""
    if args.out_dir is not None:
        return Path(args.out_dir)
    return Path('work_dirs', Path(args.config).stem, 'analysis', args.report_name)


def finish(report: 'Report', args: argparse.Namespace) -> None:
    """Print the report, save it and print the paths of its files.

    Raises:
        UserError: If it cannot be saved.
    """
    from mmsnn.utils.errors import UserError, first_line

    folder = _out_dir(args)
    print(report.text())
    try:
        files = report.save(folder)
    except OSError as error:
        raise UserError(
            f'the report cannot be saved in {str(folder)!r}: {first_line(error)}'
        ) from error
    print()
    for path in files.values():
        print(f'Saved {path}')
