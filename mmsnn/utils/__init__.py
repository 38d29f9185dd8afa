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
]
