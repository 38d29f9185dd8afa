import math
import re

import numpy as np
import pytest

from mmsnn.utils import (
    check_choice,
    check_number,
    check_positive,
    check_positive_int,
    describe,
)


def test_numbers_come_back_as_floats():
    for value in (2, 2.0, np.float32(2), np.int64(2)):
        number = check_number('tau', value)
        assert number == 2.0
        assert type(number) is float
    assert check_number('tau', -1) == -1.0
    assert check_positive('tau', 1e-30) == 1e-30


def test_integers_come_back_as_ints():
    for value in (3, np.int32(3)):
        number = check_positive_int('num_steps', value)
        assert number == 3
        assert type(number) is int


@pytest.mark.parametrize('value', [True, '2', None, [2], 1j])
@pytest.mark.parametrize('check', [check_number, check_positive])
def test_what_is_no_number(check, value):
    message = f'tau must be a number, but got {value!r} ({type(value).__name__})'
    with pytest.raises(TypeError, match=re.escape(message)):
        check('tau', value)


@pytest.mark.parametrize('value', [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize('check', [check_number, check_positive])
def test_numbers_are_finite(check, value):
    with pytest.raises(ValueError, match=f'tau must be finite, but got {value}'):
        check('tau', value)


@pytest.mark.parametrize('value', [0, -1, -0.5])
def test_positive(value):
    with pytest.raises(ValueError, match=f'tau must be positive, but got {value}'):
        check_positive('tau', value)


@pytest.mark.parametrize('value', [True, 2.0, '2', None])
def test_what_is_no_integer(value):
    with pytest.raises(TypeError, match='num_steps must be an integer, but got'):
        check_positive_int('num_steps', value)


@pytest.mark.parametrize('value', [0, -3])
def test_positive_int(value):
    message = f'num_steps must be at least 1, but got {value}'
    with pytest.raises(ValueError, match=message):
        check_positive_int('num_steps', value)


def test_choice():
    check_choice('depth', 18, {18: 'a', 34: 'b'})
    message = 'depth must be one of 18, 34, but got 20'
    with pytest.raises(ValueError, match=message):
        check_choice('depth', 20, {18: 'a', 34: 'b'})
    with pytest.raises(
        ValueError, match=r'depth must be one of 18, 34, but got \[18\]'
    ):
        check_choice('depth', [18], {18: 'a', 34: 'b'})


def test_describe():
    assert describe('4') == "'4' (str)"
