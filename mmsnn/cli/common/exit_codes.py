"""One-line errors, exit codes and warnings of commands."""

import os
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from typing import NoReturn

from mmsnn._compat import check_dependencies
from mmsnn.utils.allocator import keep_freed_memory

# MMDetection warns at every start; its other COCO metric is not used here.
warnings.filterwarnings('ignore', message='faster_coco_eval is not installed')

TRACEBACK = 'MMSNN_TRACEBACK'


def run(command: Callable[[], None]) -> None:
    """Run a command; print a user's error as one line and exit with code 2.

    Such errors include a full disk, too little memory, a file that cannot be read or
    written, and a missing package. With the environment variable MMSNN_TRACEBACK=1, the
    traceback is printed as well. Other errors are bugs and keep their traceback; Ctrl-C
    ends the command without a message.

    In a distributed run, the other processes of a machine print their errors only if
    the first one is still running.
    """
    keep_freed_memory()
    try:
        _run(command)
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except BrokenPipeError:
        # The reader of the output has closed it, as `head` does.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(141) from None


def _run(command: Callable[[], None]) -> None:
    try:
        command()
        sys.stdout.flush()
    except (BrokenPipeError, KeyboardInterrupt):
        raise
    except Exception as error:
        message = _explain(error)
        if message is None:
            raise
        _fail(error, message)


def _explain(error: Exception) -> str | None:
    """Return a line that explains a user's error, or None if it is a bug."""
    if isinstance(error, ImportError):
        try:
            check_dependencies()
        except ImportError as problem:
            return ' '.join(str(problem).split())
    from mmsnn.utils.failures import explain

    return explain(error)


def _fail(error: Exception, message: str) -> NoReturn:
    if not is_first():
        # Usually all processes fail alike, and the launcher stops this one meanwhile.
        time.sleep(5)
        message = f'rank {os.environ.get("RANK", "?")}: {message}'
    if os.environ.get(TRACEBACK, '0') != '0':
        traceback.print_exception(error)
    print(f'error: {message}', file=sys.stderr)
    if int(os.environ.get('WORLD_SIZE', '1')) > 1:
        # A normal exit waits for the other processes, which may wait for this one.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(2)
    raise SystemExit(2)


def note(message: str) -> None:
    """Print a warning line on stderr, once per machine."""
    if is_first():
        print(f'warning: {message}', file=sys.stderr)


def is_first() -> bool:
    """Return whether this is the first process of the machine in a distributed run."""
    return os.environ.get('LOCAL_RANK', '0') == '0'
