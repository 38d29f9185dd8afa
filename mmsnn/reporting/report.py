"""Reports of an analysis: text for the terminal, JSON, PNGs, one HTML file."""

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup, escape
from matplotlib.figure import Figure

from .json_encoding import to_plain
from .plot_style import COLORS, DPI, plot_style
from .tables import Column, Table, si

_FILES = ('json', 'html')
# CSS has 96 pixels an inch.
_PIXEL = 96 / DPI
# A module's name, a path or a function: legible with equally wide letters.
_CODE = re.compile(r'[^\W\d][\w\[\]-]*([./][\w\[\]-]+)+')


def _breakable(value: str) -> Markup:
    """Return escaped text that may be broken after dots, slashes and underscores."""
    return Markup(re.sub(r'([._/])(?=\w)', r'\1<wbr>', str(escape(value))))


def make_environment(*folders: Path) -> Environment:
    """Return an environment for HTML templates.

    Args:
        *folders: Folders of templates, besides that of this package, whose
            ``tables.html.j2`` shows tables.
    """
    environment = Environment(
        loader=FileSystemLoader([*folders, Path(__file__).parent]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.tests['code'] = _CODE.fullmatch
    environment.filters['breakable'] = _breakable
    return environment


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
                    'names of pictures must be unique and other than '
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
            The files by ``'json'``, the name of each picture, and ``'html'``.
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
            images[picture.name] = _embed(file.read_bytes())
        files['html'] = out_dir / 'report.html'
        page = (
            make_environment()
            .get_template('report.html.j2')
            .render(report=self, images=images)
        )
        files['html'].write_text(page, encoding='utf-8')
        return files


def _embed(png: bytes) -> dict[str, Any]:
    """Return a PNG file as text, and its width on a page in CSS's pixels."""
    # a PNG begins with its signature and the header of its first chunk
    width = round(_PIXEL * int.from_bytes(png[16:20]))
    return dict(base64=base64.b64encode(png).decode(), width=width)


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
    'make_environment',
    'plot_style',
    'si',
    'to_plain',
]
