"""The error that a command line tool turns into one line."""


class UserError(ValueError):
    """A mistake in what the user gave: a missing file, a wrong option.

    Its message names what was given and what to do; the tools print it as a single
    line on stderr and exit with code 2, without a traceback.
    """


def first_line(error: BaseException) -> str:
    """Return ``error``'s type and the first non-empty line of its message."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # str(KeyError('x')) is "'x'", quotes included.
    message = lines[0].strip('"\'') if lines else ''
    return f'{type(error).__name__}: {message}' if message else type(error).__name__
