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

__all__ = [
    'check_bool',
    'check_choice',
    'check_number',
    'check_positive',
    'check_positive_int',
    'check_sequence',
    'describe',
]
