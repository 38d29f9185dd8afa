"""The error that command line tools print as one line."""

import re
import traceback

# Colours and other terminal escape sequences in messages of frameworks.
_ESCAPES = re.compile(
    r'\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|[@-Z\\^_])'
)


class UserError(ValueError):
    """A mistake in the user's input, such as a missing file or a wrong option.

    Its message names what was given and what to do; the tools print it as a single
    line on stderr and exit with code 2, without a traceback.
    """


def first_line(error: BaseException) -> str:
    """Return ``error``'s type and the first non-empty line of its message.

    If that line ends with a colon, the next one is added. For an assertion without a
    message, the assertion itself is returned.
    """
    message = str(error)
    if isinstance(error, KeyError) and len(error.args) == 1:
        # str(KeyError('x')) is "'x'", quotes included.
        message = str(error.args[0])
    lines = [plain(line) for line in message.splitlines()]
    lines = [line for line in lines if line]
    message = lines[0] if lines else _assertion(error)
    if message.endswith(':') and len(lines) > 1:
        message += f' {lines[1]}'
    return f'{type(error).__name__}: {message}' if message else type(error).__name__


def reason_of(error: BaseException) -> str:
    """Return the message of a ValueError, and the :func:`first_line` of other errors.

    Readers raise plain ValueErrors with a message for the user.
    """
    return str(error) if type(error) is ValueError else first_line(error)


def _assertion(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    failed = isinstance(error, AssertionError) and bool(frames)
    return (frames[-1].line or '') if failed else ''


def plain(text: str) -> str:
    """Return ``text`` as one line without control characters and extra whitespace."""
    shown = ''.join(
        char if char.isprintable() else ' ' for char in _ESCAPES.sub('', text)
    )
    return ' '.join(shown.split())
