"""What train.py and test.py share: options, one-line errors, building the runner."""

import argparse
import os
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

# The tools work from a checkout that is not installed, too.
_PROJECT = Path(__file__).resolve().parents[1]
if (_PROJECT / 'mmsnn' / '__init__.py').is_file():
    sys.path.insert(0, str(_PROJECT))

# MMEngine loads a checkpoint that fails safe loading once more with unrestricted
# unpickling, which runs whatever code the file contains. Torch prevents that with
# this variable; TORCH_FORCE_WEIGHTS_ONLY_LOAD=0 allows it for files one trusts.
if 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD' not in os.environ:
    os.environ.setdefault('TORCH_FORCE_WEIGHTS_ONLY_LOAD', '1')

# MMDetection says this at every start; its other COCO metric is not used here.
warnings.filterwarnings('ignore', message='faster_coco_eval is not installed')

if TYPE_CHECKING:
    from mmengine.config import Config
    from mmengine.runner import Runner

    from mmsnn.datasets.guarded_pipeline import BrokenImages

TRACEBACK = 'MMSNN_TRACEBACK'


def run(command: Callable[[], None]) -> None:
    """Run a tool: what the user did wrong is one line on stderr and exit code 2.

    With the environment variable MMSNN_TRACEBACK=1 the traceback is printed as well.
    In a distributed run the first process of each machine speaks for the others.
    """
    from mmsnn._compat import check_dependencies
    from mmsnn.utils.errors import UserError

    try:
        check_dependencies()
    except ImportError as error:
        _fail(error)
    try:
        command()
    except UserError as error:
        _fail(error)


def _fail(error: Exception) -> NoReturn:
    if not _is_first():
        # Usually all processes fail alike: the launcher then ends this one meanwhile.
        time.sleep(5)
    if os.environ.get(TRACEBACK, '0') != '0':
        traceback.print_exception(error)
    print(f'error: {" ".join(str(error).split())}', file=sys.stderr)
    raise SystemExit(2)


def note(message: str) -> None:
    """Print a warning line on stderr, once a machine."""
    if _is_first():
        print(f'warning: {message}', file=sys.stderr)


def _is_first() -> bool:
    return os.environ.get('LOCAL_RANK', '0') == '0'


class _CfgOptions(argparse.Action):
    """MMEngine's ``DictAction`` with an error message in place of a traceback."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        from mmengine.config import DictAction

        from mmsnn.utils.errors import UserError

        parse = DictAction(self.option_strings, self.dest)
        for value in values or ():
            key, equals, _ = value.partition('=')
            try:
                if not equals or not all(key.split('.')):
                    raise ValueError('it must be KEY=VALUE')
                parse(parser, namespace, [value], option_string)
            except (AssertionError, ValueError) as error:
                raise UserError(f'--cfg-options {value!r}: {error}') from error


def add_common_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that MMDetection's train.py and test.py both have."""
    parser.add_argument(
        '--work-dir',
        help='folder of the logs and results (default: work_dirs/NAME_OF_CONFIG)',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=_CfgOptions,
        metavar='KEY=VALUE',
        help='override settings of the config, such as train_cfg.max_epochs=1; a list '
        'is written key="[a,b]" or key=a,b, nested ones key="[(a,b),(c,d)]", without '
        'white space',
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='what started the processes of a distributed run',
    )
    # torch.distributed.launch passes --local-rank since PyTorch 2.0.
    parser.add_argument(
        '--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS
    )


def parse(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Parse the command line; set LOCAL_RANK as MMEngine expects it."""
    args = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def load(args: argparse.Namespace, mode: str) -> 'Config':
    """Read the config of ``args`` and set what both tools set in it.

    Args:
        args: The parsed options.
        mode: 'train' or 'test'.

    Raises:
        UserError: If the config is missing, broken or lacks what ``mode`` needs.
    """
    from mmdet.utils import setup_cache_size_limit_of_dynamo

    import mmsnn  # noqa: F401
    from mmsnn.utils.preflight import check_sections, load_config

    setup_cache_size_limit_of_dynamo()
    cfg = load_config(args.config, args.cfg_options)
    check_sections(cfg, mode)
    cfg.launcher = args.launcher
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = str(Path('work_dirs', Path(args.config).stem))
    return cfg


def start_skipping(cfg: 'Config', number: int | None) -> 'BrokenImages | None':
    """Return what ``--skip-broken`` allows, with an empty list of images.

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
    if _is_first():
        broken.clear()
    return broken


@contextmanager
def report_skipped(broken: 'BrokenImages | None') -> Iterator[None]:
    """Name and count the images that have been skipped, at the end or at an error."""
    try:
        yield
    finally:
        names = broken.names() if broken else []
        if broken and names:
            note(
                f'{len(names)} training images could not be read and were skipped: '
                f'{", ".join(names)} (listed in {broken.path})'
            )


def build_runner(cfg: 'Config') -> 'Runner':
    """Build the runner, and with it the model, on whatever device there is.

    Raises:
        UserError: If the config asks for something that cannot be built.
    """
    from mmengine.registry import RUNNERS
    from mmengine.runner import Runner

    from mmsnn.utils.cpu import start_on_cpu
    from mmsnn.utils.errors import UserError, first_line

    if start_on_cpu(cfg, cfg.launcher):
        note('no GPU: each process normalises by itself, BN in place of SyncBN')
    try:
        return RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
    except (AssertionError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f'config {cfg.filename!r} cannot be built: {first_line(error)} '
            f'({TRACEBACK}=1 shows where)'
        ) from error
