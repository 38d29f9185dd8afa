"""Make or complete the project's `.venv`: `PYTHON tools/setup_env.py`.

This file is read by whatever Python a machine has, so it keeps to syntax that
Python 2.7 and every later version accept: an old one then gets a clear line
instead of a SyntaxError. The work is in `tools/env_setup`.
"""

from __future__ import print_function

import os
import subprocess
import sys

# NumPy 2.2, the newest that OpenCV 4.12 works with, has no build for 3.14.
MIN_PYTHON = (3, 11)
FIRST_TOO_NEW_PYTHON = (3, 14)


def supported_names():
    """Return the usual command names of the supported Pythons, newest last."""
    minors = range(MIN_PYTHON[1], FIRST_TOO_NEW_PYTHON[1])
    return ['python3.%d' % minor for minor in minors]


def find_supported():
    """Return the name of a supported Python that runs here, or None."""
    with open(os.devnull, 'w') as devnull:
        for name in supported_names():
            try:
                # Run it: a version manager's shim can exist without a Python.
                code = subprocess.call([name, '-c', ''], stdout=devnull, stderr=devnull)
            except OSError:
                continue
            if code == 0:
                return name
    return None


def unsupported_message(found):
    """Say that this Python can't be used and which one can.

    Args:
        found: The version found, e.g. `(3, 10, 13)`.

    Returns:
        One line of text.
    """
    other = find_supported()
    if other:
        advice = 'use the one found here: make PYTHON=%s ...' % other
    else:
        advice = 'install one of them and name it: make PYTHON=python3.11 ...'
    return 'mmsnn set-up: error: Python %s is not supported (%s to %s are); %s' % (
        '.'.join(str(part) for part in found),
        '%d.%d' % MIN_PYTHON,
        '%d.%d' % (FIRST_TOO_NEW_PYTHON[0], FIRST_TOO_NEW_PYTHON[1] - 1),
        advice,
    )


if __name__ == '__main__':
    if not MIN_PYTHON <= sys.version_info[:2] < FIRST_TOO_NEW_PYTHON:
        print(unsupported_message(tuple(sys.version_info[:3])), file=sys.stderr)
        sys.exit(1)
    from env_setup.main import main

    sys.exit(main())
