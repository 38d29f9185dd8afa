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

# MMDetection says this at every start; its other COCO metric is not used here.
warnings.filterwarnings('ignore', message='faster_coco_eval is not installed')

if TYPE_CHECKING:
    from mmengine.config import Config
    from mmengine.runner import Runner

    from mmsnn.datasets.guarded_pipeline import BrokenImages

TRACEBACK = 'MMSNN_TRACEBACK'


def run(command: Callable[[], None]) -> None:
    """Run a tool: what the user did wrong is one line on stderr and exit code 2.

    So is a full disk, too little memory, or a file that cannot be read or written. With
    the environment variable MMSNN_TRACEBACK=1 the traceback is printed as well. Other
    errors are bugs and keep their traceback; Ctrl-C ends quietly.

    In a distributed run the first process of each machine speaks for the others.
    """
    try:
        _run(command)
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except BrokenPipeError:
        # Whoever read the output has seen enough, as `head` does.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(141) from None


def _run(command: Callable[[], None]) -> None:
    from mmsnn._compat import check_dependencies

    try:
        check_dependencies()
    except ImportError as error:
        _fail(error, ' '.join(str(error).split()))
    try:
        command()
        sys.stdout.flush()
    except (BrokenPipeError, KeyboardInterrupt):
        raise
    except Exception as error:
        from mmsnn.utils.failures import explain

        message = explain(error)
        if message is None:
            raise
        _fail(error, message)


def _fail(error: Exception, message: str) -> NoReturn:
    if not _is_first():
        # Usually all processes fail alike: the launcher then ends this one meanwhile.
        time.sleep(5)
        message = f'rank {os.environ.get("RANK", "?")}: {message}'
    if os.environ.get(TRACEBACK, '0') != '0':
        traceback.print_exception(error)
    print(f'error: {message}', file=sys.stderr)
    if int(os.environ.get('WORLD_SIZE', '1')) > 1:
        # Leaving the process group waits for the others, which may wait for this one.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(2)
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


class OutputFolder(argparse.Action):
    """Take the path of a folder, if files can be written in it."""

    checker = 'check_folder'

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        from mmsnn.utils import outputs

        name = option_string or self.metavar or self.dest
        getattr(outputs, self.checker)(values, name)
        setattr(namespace, self.dest, values)


class OutputFile(OutputFolder):
    """Take the path of a file, if it can be written."""

    checker = 'check_file'


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
        UserError: If the config is missing, broken or lacks what ``mode`` needs, or if
            nothing has started the processes of a distributed run.
    """
    from mmdet.utils import setup_cache_size_limit_of_dynamo

    import mmsnn  # noqa: F401
    from mmsnn.utils.config_checks import check_settings, misspelt_settings
    from mmsnn.utils.outputs import check_folder
    from mmsnn.utils.preflight import check_sections, load_config

    _check_launcher(args.launcher)
    setup_cache_size_limit_of_dynamo()
    cfg = load_config(args.config, args.cfg_options)
    for line in misspelt_settings(cfg):
        note(line)
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
            f'--launcher {launcher} is for processes of a distributed run, which have '
            f'{variable} in their environment: tools/*_train.sh, *_test.sh start them'
        )


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
    from mmsnn.utils.failures import explain_building

    if start_on_cpu(cfg, cfg.launcher):
        note('no GPU: each process normalises by itself, BN in place of SyncBN')
    with explain_building(f'config {cfg.filename!r}'):
        return RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
