"""The check of a mistake of a caller, which tables of them share."""

from collections.abc import Callable

import pytest


def check_mistake(mistake: Callable[[], object], expected: str) -> None:
    """Check that a call fails with an error that begins, and goes on, as expected.

    Args:
        mistake: The call.
        expected: ``TYPE: TEXT``; between parts that are apart are three dots.
    """
    with pytest.raises((TypeError, ValueError, NotImplementedError)) as caught:
        mistake()
    line = f'{caught.type.__name__}: {caught.value}'
    first, *others = expected.split(' ... ')
    assert line.startswith(first), line
    assert all(part in line for part in others), line
