"""torch's launcher, which says in a line or two why a distributed run ended.

dist_train.sh and dist_test.sh start it with the options of ``torch.distributed.run``.
"""

import logging
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError


def main() -> None:
    """Launch the processes and wait for them."""
    import torch.distributed as dist
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import parse_args, run

    # it reports the end of each process at length
    logging.getLogger('torch.distributed.elastic').setLevel(logging.CRITICAL)
    args = parse_args(sys.argv[1:])
    if not 0 < args.master_port < 2**16:
        _end(f'PORT must be from 1 to 65535, but got {args.master_port}', 2)
    try:
        run(args)
    except ChildFailedError as error:
        _end(*_explain_child(error))
    except SignalException as error:
        raise SystemExit(128 + error.sigval) from None
    except dist.DistError as error:
        place = f'{args.master_addr}:{args.master_port}'
        if 'EADDRINUSE' in str(error):
            _end(f'{place} is in use by another program: set PORT to a free port', 2)
        message = str(error).splitlines()[0]
        _end(f'the processes cannot meet at {place}: {message}', 1)


def _explain_child(error: 'ChildFailedError') -> tuple[str, int]:
    """Return a line about the process that failed first, and the exit code."""
    # those that the launcher stopped because of another are not the reason
    failures = sorted(
        error.failures.items(),
        key=lambda item: (item[1].exitcode == -signal.SIGTERM, item[1].timestamp),
    )
    rank, failure = failures[0]
    code = failure.exitcode
    if code < 0:
        name = signal.Signals(-code).name
        cause = f'was ended by {name}'
        if name == 'SIGKILL':
            cause += ', as the system does when memory is short'
    else:
        cause = (
            f'ended with exit code {code}: its error is above, the log in the work dir'
        )
    where = f'rank {rank} (local rank {failure.local_rank}, process {failure.pid})'
    return f'{where} {cause}; the others were stopped', code if code > 0 else 1


def _end(message: str, code: int) -> None:
    print(f'launcher: {message}', file=sys.stderr)
    raise SystemExit(code)


if __name__ == '__main__':
    main()
