"""torch's launcher, with a short message if a distributed run fails.

dist_train.sh and dist_test.sh start it with the options of ``torch.distributed.run``.
"""

import logging
import re
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError


# Options that come from environment variables: variable, least and largest value.
_NUMBERS = {
    'master-port': ('PORT', 1, 2**16 - 1),
    'nnodes': ('NNODES', 1, 10**6),
    'node-rank': ('NODE_RANK', 0, 10**6),
}


def check_numbers(options: list[str]) -> None:
    """Check the numbers among the options, before torch's parser sees them."""
    found = {}
    for option in options:
        match = re.fullmatch(r'--([\w-]+)=(.*)', option, re.DOTALL)
        if not match:
            break  # the script, whose options follow
        if match[1] in _NUMBERS:
            variable, least, most = _NUMBERS[match[1]]
            number = int(match[2]) if re.fullmatch(r'[0-9]{1,9}', match[2]) else -1
            if not least <= number <= most:
                _end(
                    f'{variable} must be a whole number from {least} to {most}, but '
                    f'got {match[2]!r}',
                    2,
                )
            found[variable] = number
    nodes, rank = found.get('NNODES', 1), found.get('NODE_RANK', 0)
    if rank >= nodes:
        _end(f'NODE_RANK must be less than NNODES, {nodes}, but got {rank}', 2)


def main() -> None:
    """Launch the processes and wait for them."""
    check_numbers(sys.argv[1:])
    import torch.distributed as dist
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import parse_args, run

    # it reports the end of each process in many lines
    logging.getLogger('torch.distributed.elastic').setLevel(logging.CRITICAL)
    args = parse_args(sys.argv[1:])
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
    # processes that the launcher stopped are not the cause
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
            cause += ', as the system does when memory runs out'
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
