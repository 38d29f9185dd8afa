"""Options, config, runner and skipped images of the commands train and test."""

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from .exit_codes import is_first, note
from .options import add_cfg_options
from .progress import working

if TYPE_CHECKING:
    from mmengine.config import Config
    from mmengine.runner import Runner

    from mmsnn.datasets.guarded_pipeline import BrokenImages


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that MMDetection's train.py and test.py share."""
    parser.add_argument(
        '--work-dir',
        help='folder of the logs and results (default: work_dirs/NAME_OF_CONFIG)',
    )
    add_cfg_options(parser)
    parser.add_argument(
        '--verbose',
        action='store_true',
        help="print all of MMEngine's messages, which are always in the log file",
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='launcher of the processes of a distributed run',
    )
    # torch.distributed.launch passes --local-rank since PyTorch 2.0.
    parser.add_argument(
        '--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS
    )


@working('Preparing the run')
def load(args: argparse.Namespace, mode: str) -> 'Config':
    """Read and check the config of ``args``, and apply the common options to it.

    LOCAL_RANK is set in the environment, as MMEngine expects.

    Args:
        args: The parsed options.
        mode: 'train' or 'test'.

    Raises:
        UserError: If the config is missing, broken or lacks what ``mode`` needs, or if
            no launcher has started the process of a distributed run.
    """
    from mmdet.utils import setup_cache_size_limit_of_dynamo

    import mmsnn  # noqa: F401
    from mmsnn.utils.config_checks import check_settings, misspelt_settings
    from mmsnn.utils.config_files import load_config
    from mmsnn.utils.outputs import check_folder
    from mmsnn.utils.preflight import check_sections
    from mmsnn.utils.shipped_configs import use_shipped_weights

    _check_launcher(args.launcher)
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    setup_cache_size_limit_of_dynamo()
    cfg = load_config(args.config, args.cfg_options)
    for line in misspelt_settings(cfg):
        note(line)
    use_shipped_weights(cfg)
    check_sections(cfg, mode)
    check_settings(cfg, mode)
    cfg.launcher = args.launcher
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = str(Path('work_dirs', Path(args.config).stem))
    check_folder(cfg.work_dir, 'work dir')
    return cfg


def _check_launcher(launcher: str) -> None:
    from mmsnn.utils.errors import UserError
    from mmsnn.utils.work_dir import RANKS

    variable = RANKS.get(launcher)
    if variable is not None and variable not in os.environ:
        raise UserError(
            f'--launcher {launcher} needs {variable} in the environment, which '
            'tools/*_train.sh and *_test.sh set for the processes that they start'
        )


def start_skipping(cfg: 'Config', number: int | None) -> 'BrokenImages | None':
    """Return an empty list of broken images for ``--skip-broken``; None without it.

    Raises:
        UserError: If the number is less than 1.
    """
    from mmsnn.datasets.guarded_pipeline import BrokenImages
    from mmsnn.utils.errors import UserError

    if number is None:
        return None
    if number < 1:
        raise UserError(f'--skip-broken must be at least 1, but got {number}')
    broken = BrokenImages(Path(cfg.work_dir, 'broken_images.txt'), number)
    if is_first():
        broken.clear()
    return broken


@contextmanager
def report_skipped(broken: 'BrokenImages | None') -> Iterator[None]:
    """Report the names and number of skipped images, at the end or on an error."""
    try:
        yield
    finally:
        names = broken.names() if broken else []
        if broken and names:
            note(
                f'{len(names)} training images could not be read and were skipped: '
                f'{", ".join(names)} (listed in {broken.path})'
            )


def build_runner(cfg: 'Config', verbose: bool) -> 'Runner':
    """Build the runner and its model on the available device.

    Args:
        cfg: A full config.
        verbose: Whether to print all of MMEngine's messages instead of a header,
            progress, warnings and tables of evaluations.

    Raises:
        UserError: If a part of the config cannot be built.
    """
    from mmengine.registry import RUNNERS
    from mmengine.runner import Runner

    from mmsnn.utils.cpu import start_on_cpu
    from mmsnn.utils.failures import explain_building
    from mmsnn.utils.preflight import find_class

    from .console import ConsoleHook, make_quiet

    if start_on_cpu(cfg, cfg.launcher):
        note('no GPU: BN instead of SyncBN, each process uses its own statistics')
    kind = find_class(RUNNERS, cfg.get('runner_type', Runner), cfg.get('default_scope'))
    with explain_building(f'config {cfg.filename!r}'):
        if verbose or kind is None:  # RUNNERS explains a missing one
            return RUNNERS.build(cfg)
        runner = make_quiet(kind).from_cfg(cfg)
    runner.register_hook(ConsoleHook())
    return runner
