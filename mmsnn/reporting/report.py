"""Reports of an analysis: text for the terminal, JSON, PNGs, one HTML file."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from .html import render
from .json_encoding import to_plain
from .plot_style import COLORS, plot_style

NOTHING = '-'
_PREFIXES = ((1e12, ' T'), (1e9, ' G'), (1e6, ' M'), (1e3, ' k'), (1, ''))
_FILES = ('json', 'html')


def si(value: float) -> str:
    """Return a number with four digits and a prefix, as ``'12.35 M'``.

    A number below 1000 has none; one below 1 has no smaller prefix, but an exponent
    below 0.0001.
    """
    for factor, prefix in _PREFIXES:
        # from there on, rounding to four digits gives the next prefix's 1
        if abs(value) >= factor * 0.99995 and math.isfinite(value):
            return f'{value / factor:.4g}{prefix}'
    return f'{value:.4g}'


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: Heading.
        unit: Of its numbers.
        format: ``''`` for text, and numbers as they are; a format spec, as ``'.3f'`` or
            ``'.1%'``; or ``'si'`` for numbers such as ``12.35 M``.
        bar: Whether the HTML report draws a bar at each number: its part of the
            column's largest.
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
        title: Over it.
        columns: The columns.
        rows: Their values.
        notes: Under it, a line each.
        bold_last: Whether the last row is a total.

    Raises:
        ValueError: If a row has not as many values as there are columns.
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
        """Whether each column holds numbers, and gaps, only."""
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


@dataclass(frozen=True)
class Picture:
    """A plot.

    Attributes:
        name: Its file's stem.
        title: Over it.
        figure: What is drawn.
        caption: Under it.
    """

    name: str
    title: str
    figure: Figure
    caption: str = ''


@dataclass(frozen=True)
class Report:
    """What an analysis found.

    Attributes:
        title: Of the report.
        facts: What was analysed: config, checkpoint, images, ...
        tables: The tables.
        pictures: The plots.
        notes: The assumptions under which the numbers hold.
        data: The whole result, for the JSON file (see :func:`to_plain`).
        headline: The few numbers that matter most, by what they are.

    Raises:
        ValueError: If two pictures have the same name, or one has the report's.
    """

    title: str
    facts: Mapping[str, str]
    tables: Sequence[Table] = ()
    pictures: Sequence[Picture] = ()
    notes: Sequence[str] = ()
    data: Any = None
    headline: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = [picture.name for picture in self.pictures]
        for name in names:
            if names.count(name) > 1 or name in _FILES:
                raise ValueError(
                    'pictures must have names of their own, other than '
                    f'{" and ".join(_FILES)}, but got {", ".join(names)}'
                )

    def text(self) -> str:
        """Return what a tool prints."""
        parts = ['\n'.join([self.title, '=' * len(self.title), _aligned(self.facts)])]
        if self.notes:
            parts.append('\n'.join(['Assumptions:', *(f'- {n}' for n in self.notes)]))
        parts += [table.text() for table in self.tables]
        if self.headline:
            parts.append(_aligned(self.headline))
        return '\n\n'.join(parts)

    def save(self, out_dir: str | Path) -> dict[str, Path]:
        """Write ``report.json``, a PNG a picture, and ``report.html``.

        The HTML file holds the pictures and needs neither the others nor a network.

        Args:
            out_dir: Their folder, made if need be.

        Returns:
            The files: ``'json'``, the name of each picture, and ``'html'``.
        """
        out_dir = Path(out_dir)
        out_dir.mkdir(parents=True, exist_ok=True)
        content = dict(
            title=self.title,
            facts=dict(self.facts),
            assumptions=list(self.notes),
            headline=dict(self.headline),
            data=to_plain(self.data),
        )
        text = json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False)
        files = {'json': out_dir / 'report.json'}
        files['json'].write_text(text + '\n', encoding='utf-8')
        images = {}
        for picture in self.pictures:
            file = out_dir / f'{picture.name}.png'
            # what is drawn late, as a legend, takes its look then
            with plot_style():
                picture.figure.savefig(file)
            files[picture.name] = file
            images[picture.name] = file.read_bytes()
        files['html'] = out_dir / 'report.html'
        files['html'].write_text(render(self, images), encoding='utf-8')
        return files


def _aligned(facts: Mapping[str, str]) -> str:
    """Return names and values, a line each."""
    width = max(map(len, facts), default=0)
    return '\n'.join(f'{name.ljust(width)}  {value}' for name, value in facts.items())


__all__ = [
    'COLORS',
    'Column',
    'Picture',
    'Report',
    'Table',
    'plot_style',
    'si',
    'to_plain',
]
