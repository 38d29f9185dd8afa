"""Checks of user input, whose errors say what was given and what is allowed."""

import math
from collections.abc import Collection, Hashable, Sequence
from numbers import Integral, Real
from typing import Any


def describe(value: Any) -> str:
    """Return ``value`` and its type, for error messages."""
    return f'{value!r} ({type(value).__name__})'


def check_bool(name: str, value: Any) -> bool:
    """Return ``value`` if it is a bool.

    Raises:
        TypeError: If it is not a bool.
    """
    if not isinstance(value, bool):
        raise TypeError(f'{name} must be a bool, but got {describe(value)}')
    return value


def check_number(name: str, value: Any) -> float:
    """Return ``value`` as a float.

    Raises:
        TypeError: If it is not a real number, or is a bool.
        ValueError: If it is not finite.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f'{name} must be a number, but got {describe(value)}')
    if not math.isfinite(value):
        raise ValueError(f'{name} must be finite, but got {value}')
    return float(value)


def check_positive(name: str, value: Any) -> float:
    """Return ``value`` as a float greater than 0.

    Raises:
        TypeError: If it is not a real number.
        ValueError: If it is not positive and finite.
    """
    number = check_number(name, value)
    if number <= 0:
        raise ValueError(f'{name} must be positive, but got {value}')
    return number


def check_positive_int(name: str, value: Any) -> int:
    """Return ``value`` as an int of at least 1.

    Raises:
        TypeError: If it is not an integer, or is a bool.
        ValueError: If it is less than 1.
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f'{name} must be an integer, but got {describe(value)}')
    if value < 1:
        raise ValueError(f'{name} must be at least 1, but got {value}')
    return int(value)


def check_sequence(name: str, value: Any, of: str) -> None:
    """Check that ``value`` is a sequence other than a string.

    Args:
        name: Name of the value, for the message.
        value: The value.
        of: What it must hold, for the message, such as ``'integers'``.

    Raises:
        TypeError: If it is not.
    """
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        raise TypeError(f'{name} must be a sequence of {of}, but got {describe(value)}')


def check_choice(name: str, value: Any, allowed: Collection[Any]) -> None:
    """Check that ``value`` is one of ``allowed``.

    Raises:
        ValueError: If it is not.
    """
    if not isinstance(value, Hashable) or value not in allowed:
        raise ValueError(
            f'{name} must be one of {", ".join(map(str, allowed))}, but got {value!r}'
        )
