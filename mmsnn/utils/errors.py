"""The error that a command line tool turns into one line."""

import re

# A data loader raises a worker's error again with its whole traceback as the message,
# which ends with the type and the message of the error itself.
_IN_WORKER = re.compile(
    r'Caught \w+ in DataLoader worker process .*\n[\w.]+: (.*)', re.DOTALL
)


class UserError(ValueError):
    """A mistake in what the user gave: a missing file, a wrong option.

    Its message names what was given and what to do; the tools print it as a single
    line on stderr and exit with code 2, without a traceback.
    """

    def __init__(self, message: str) -> None:
        super().__init__(_without_traceback(message))


def first_line(error: BaseException) -> str:
    """Return ``error``'s type and the first non-empty line of its message."""
    message = _without_traceback(str(error))
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    # str(KeyError('x')) is "'x'", quotes included.
    message = lines[0].strip('"\'') if lines else ''
    return f'{type(error).__name__}: {message}' if message else type(error).__name__


def _without_traceback(message: str) -> str:
    """Return the message of an error that came from a data loader's worker."""
    found = _IN_WORKER.match(message)
    return found.group(1).strip() if found else message
