"""Checks of user input, shared by all layers."""

from .checks import (
    check_bool,
    check_choice,
    check_number,
    check_positive,
    check_positive_int,
    check_sequence,
    describe,
)
from .named_rows import NamedRows

__all__ = [
    'NamedRows',
    'check_bool',
    'check_choice',
    'check_number',
    'check_positive',
    'check_positive_int',
    'check_sequence',
    'describe',
    'register_all_modules',
]


def register_all_modules() -> None:
    """Import everything that mmsnn registers, as ``mmengine.hub`` requires.

    It is not needed otherwise: a type is imported when it is first built.
    """
    from mmsnn import registry

    for name in registry.__all__:
        getattr(registry, name).import_from_location()
