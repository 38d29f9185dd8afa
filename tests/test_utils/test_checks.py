"""The checkers of arguments."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mmsnn.utils import (
    check_choice,
    check_number,
    check_positive,
    check_positive_int,
    describe,
)


@pytest.mark.parametrize('check', [check_number, check_positive, check_positive_int])
def test_numbers_come_back_as_pythons(check: Callable[..., Any]) -> None:
    kind = int if check is check_positive_int else float
    for value in (2, np.int32(2), *([] if kind is int else [2.0, np.float32(2)])):
        assert check('tau', value) == 2
        assert type(check('tau', value)) is kind
    assert check_number('tau', -1) == -1.0
    assert check_positive('tau', 1e-30) == 1e-30


BOTH = (check_number, check_positive)
POSITIVE, INTEGER = (check_positive,), (check_positive_int,)
WRONG = [
    (TypeError, 'a number', BOTH, [True, '2', None, [2], 1j]),
    (ValueError, 'finite', BOTH, [math.nan, math.inf, -math.inf]),
    (ValueError, 'positive', POSITIVE, [0, -1, -0.5]),
    (TypeError, 'an integer', INTEGER, [True, 2.0, '2', None]),
    (ValueError, 'at least 1', INTEGER, [0, -3]),
]


@pytest.mark.parametrize(('error', 'allowed', 'checks', 'values'), WRONG)
def test_wrong_numbers(error: Any, allowed: str, checks: Any, values: Any) -> None:
    for check, value in itertools.product(checks, values):
        with pytest.raises(error) as caught:
            check('tau', value)
        shown = describe(value) if error is TypeError else value
        assert str(caught.value) == f'tau must be {allowed}, but got {shown}'


@pytest.mark.parametrize('value', [20, [18]])
def test_choice(value: Any) -> None:
    check_choice('depth', 18, {18: 'a', 34: 'b'})
    with pytest.raises(ValueError) as caught:
        check_choice('depth', value, {18: 'a', 34: 'b'})
    assert str(caught.value) == f'depth must be one of 18, 34, but got {value}'


def test_describe() -> None:
    assert describe('4') == "'4' (str)"
