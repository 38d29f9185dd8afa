"""A report as one HTML file that needs no network and no script."""

import base64
import math
import re
from collections.abc import Mapping
from html import escape
from numbers import Real
from typing import TYPE_CHECKING, Any

from .plot_style import DPI
from .stylesheet import STYLE

if TYPE_CHECKING:
    from .report import Picture, Report, Table

# A table with more rows scrolls in itself, under its headings.
_LONG = 24
# CSS has 96 pixels an inch.
_PIXEL = 96 / DPI
# A module's name, a path or a function: legible with equally wide letters.
_CODE = re.compile(r'[\w\[\]-]+([./][\w\[\]-]+)+')


def render(report: 'Report', images: Mapping[str, bytes]) -> str:
    """Return a report's HTML.

    Args:
        report: The report.
        images: The PNG file of each of its pictures, by their names.
    """
    sections = [
        *((table.title, _table(table)) for table in report.tables),
        *(
            (picture.title, _picture(picture, images[picture.name]))
            for picture in report.pictures
        ),
    ]
    body = ''.join(
        f'<section id="s{number}"><h2>{escape(title)}</h2>{content}</section>\n'
        for number, (title, content) in enumerate(sections, 1)
    )
    links = ''.join(
        f'<li><a href="#s{number}">{escape(title)}</a></li>'
        for number, (title, _) in enumerate(sections, 1)
    )
    contents = f'<nav aria-label="Contents"><ul>{links}</ul></nav>' if links else ''
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(report.title)}</title>
<style>{STYLE}</style>
</head>
<body>
<header>
<h1>{escape(report.title)}</h1>
{_headline(report.headline)}
{_facts(report.facts)}
{_notes(report)}
{contents}
</header>
<main>
{body}</main>
<footer>All numbers are in <code>report.json</code> beside this file.</footer>
</body>
</html>
"""


def _headline(headline: Mapping[str, str]) -> str:
    tiles = ''.join(
        f'<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>'
        for name, value in headline.items()
    )
    return f'<dl class="headline">{tiles}</dl>' if tiles else ''


def _facts(facts: Mapping[str, str]) -> str:
    rows = ''.join(
        f'<div><dt>{escape(name)}</dt><dd>{_fact(name, value)}</dd></div>'
        for name, value in facts.items()
    )
    return f'<dl class="facts">{rows}</dl>'


def _fact(name: str, value: str) -> str:
    if name != 'Command':
        return _text(value)
    # broken between its words, not at the hyphens of an option
    words = (f'<span>{_breakable(word)}</span>' for word in value.split(' '))
    return f'<code class="command">{" ".join(words)}</code>'


def _notes(report: 'Report') -> str:
    items = ''.join(f'<li>{escape(note)}</li>' for note in report.notes)
    if not items:
        return ''
    return f'<aside><h2>Assumptions</h2><ul>{items}</ul></aside>'


def _text(value: str) -> str:
    """Return escaped text, as code if it is a module's name or a path."""
    if _CODE.fullmatch(value):
        return f'<code>{_breakable(value)}</code>'
    return escape(value)


def _breakable(value: str) -> str:
    """Return escaped text that may be broken behind dots, slashes and underscores."""
    return re.sub(r'([._/])(?=\w)', r'\1<wbr>', escape(value))


def _table(table: 'Table') -> str:
    numeric = table.numeric
    largest = _largest(table)
    heads = ''.join(
        f'<th scope="col"{_span(most)}{_class(number)}>{escape(column.name)}'
        + (f' <span class="unit">{escape(column.unit)}</span>' if column.unit else '')
        + '</th>'
        for column, number, most in zip(table.columns, numeric, largest, strict=True)
    )
    rows = []
    for values, cells in zip(table.rows, table.cells(), strict=True):
        shown = ''.join(
            _bar(value, most) + _cell(cell, number)
            for value, cell, number, most in zip(
                values, cells, numeric, largest, strict=True
            )
        )
        rows.append(f'<tr>{shown}</tr>')
    if table.bold_last and rows:
        rows[-1] = f'<tr class="total">{rows[-1].removeprefix("<tr>")}'
    notes = ''.join(f'<p class="note">{escape(note)}</p>' for note in table.notes)
    long = ' long' if len(table.rows) > _LONG else ''
    return (
        f'<div class="scroll{long}" tabindex="0"><table><thead><tr>{heads}</tr></thead>'
        f'<tbody>{"".join(rows)}</tbody></table></div>{notes}'
    )


def _class(number: bool) -> str:
    return ' class="number"' if number else ''


def _span(most: float | None) -> str:
    return '' if most is None else ' colspan="2"'


def _cell(text: str, number: bool) -> str:
    if number:
        return f'<td class="number">{escape(text)}</td>'
    shown = _text(text)
    return f'<td class="name">{shown}</td>' if shown != text else f'<td>{shown}</td>'


def _largest(table: 'Table') -> list[float | None]:
    """Return each column's number that has a full bar, None for one without bars."""
    rows = table.rows[:-1] if table.bold_last else table.rows
    largest: list[float | None] = []
    for index, column in enumerate(table.columns):
        numbers = [float(row[index]) for row in rows if isinstance(row[index], Real)]
        finite = [number for number in numbers if math.isfinite(number)]
        largest.append(max(finite, default=0.0) if column.bar else None)
    return largest


def _bar(value: Any, most: float | None) -> str:
    """Return the cell of a bar; a total, which is more than all, has none."""
    if most is None:
        return ''
    part = float(value) / most if isinstance(value, Real) and most > 0 else 0.0
    # NaN compares as False
    bar = f'<i style="width:{100 * part:.4g}%"></i>' if 0 < part <= 1 else ''
    return f'<td class="bar"><span>{bar}</span></td>'


def _picture(picture: 'Picture', png: bytes) -> str:
    # a PNG begins with its signature and the header of its first chunk
    width, height = (
        round(_PIXEL * int.from_bytes(png[start : start + 4])) for start in (16, 20)
    )
    caption = (
        f'<figcaption>{escape(picture.caption)}</figcaption>' if picture.caption else ''
    )
    return (
        f'<figure><div class="paper"><img alt="{escape(picture.title)}" '
        f'width="{width}" height="{height}" src="data:image/png;base64,'
        f'{base64.b64encode(png).decode()}"></div>{caption}</figure>'
    )


__all__ = ['render']
