"""Tables of an analysis, as text and with bars."""

import math
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

NOTHING = '-'
_PREFIXES = ((1e12, ' T'), (1e9, ' G'), (1e6, ' M'), (1e3, ' k'), (1, ''))


def si(value: float) -> str:
    """Return a number with four digits and a prefix, such as ``'12.35 M'``.

    Numbers below 1000 have no prefix, and those below 0.0001 an exponent.
    """
    for factor, prefix in _PREFIXES:
        # from here on, rounding to four digits gives 1 with this prefix
        if abs(value) >= factor * 0.99995 and math.isfinite(value):
            return f'{value / factor:.4g}{prefix}'
    return f'{value:.4g}'


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: Heading.
        unit: Unit of the numbers.
        format: ``''`` for text and unformatted numbers; a format specification, such as
            ``'.3f'`` or ``'.1%'``; or ``'si'`` for numbers such as ``12.35 M``.
        bar: Whether the HTML report draws a bar beside each number, relative to the
            largest number of the column.
    """

    name: str
    unit: str = ''
    format: str = ''
    bar: bool = False

    @property
    def heading(self) -> str:
        """Name and unit."""
        return f'{self.name} [{self.unit}]' if self.unit else self.name

    def show(self, value: Any) -> str:
        """Return ``value`` as text; None and NaN are ``'-'``."""
        if value is None or (isinstance(value, Real) and math.isnan(value)):
            return NOTHING
        if isinstance(value, bool | np.bool_):
            return 'yes' if value else 'no'
        if not isinstance(value, Real):
            return str(value)
        if self.format == 'si':
            return si(float(value))
        return format(value, self.format)


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        title: Title above the table.
        columns: The columns.
        rows: Values of each row.
        notes: Lines below the table.
        bold_last: Whether the last row is a total.

    Raises:
        ValueError: If the number of values in a row is not the number of columns.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...]
    notes: tuple[str, ...] = ()
    bold_last: bool = False

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(
                    f'table {self.title!r} has {len(self.columns)} columns, but a row '
                    f'has {len(row)} values: {row}'
                )

    @property
    def numeric(self) -> tuple[bool, ...]:
        """Whether each column contains only numbers and gaps."""
        return tuple(
            all(isinstance(value, Real | None) for value in values)
            and any(value is not None for value in values)
            and not any(isinstance(value, bool) for value in values)
            for values in ([row[i] for row in self.rows] for i in range(self.width))
        )

    @property
    def width(self) -> int:
        """Number of columns."""
        return len(self.columns)

    def cells(self) -> list[list[str]]:
        """Return the rows as text."""
        return [
            [
                column.show(value)
                for column, value in zip(self.columns, row, strict=True)
            ]
            for row in self.rows
        ]

    def bars(self) -> list[list[float | None]]:
        """Return the length of each bar relative to the largest number of its column.

        It is None in columns without bars, and 0 for gaps, negative and non-finite
        numbers, and totals.
        """
        rows = self.rows[:-1] if self.bold_last else self.rows
        largest = [
            max((row[i] for row in rows if _finite(row[i])), default=0)
            for i in range(self.width)
        ]
        return [
            [
                _part(value, most) if column.bar else None
                for column, value, most in zip(self.columns, row, largest, strict=True)
            ]
            for row in self.rows
        ]

    def text(self) -> str:
        """Return the table aligned for a terminal."""
        lines = [[column.heading for column in self.columns], *self.cells()]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        numeric = self.numeric
        texts = [
            '  '.join(
                cell.rjust(width) if number else cell.ljust(width)
                for cell, width, number in zip(line, widths, numeric, strict=True)
            ).rstrip()
            for line in lines
        ]
        rule = '-' * (sum(widths) + 2 * (self.width - 1))
        texts.insert(1, rule)
        if self.bold_last and self.rows:
            texts.insert(-1, rule)
        return '\n'.join([self.title, rule, *texts, *self.notes])


def _finite(value: Any) -> bool:
    return isinstance(value, Real) and math.isfinite(value)


def _part(value: Any, most: float) -> float:
    """Return ``value / most``, or 0 if it is not in (0, 1]."""
    return value / most if _finite(value) and 0 < value <= most else 0.0


__all__ = ['Column', 'Table', 'si']
