"""Reports of an analysis as text, JSON, PNG files and a single HTML file."""

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
# CSS has 96 pixels per inch.
_PIXEL = 96 / DPI
# A module's name, a path or a function, which is shown in a monospaced font.
_CODE = re.compile(r'[^\W\d][\w\[\]-]*([./][\w\[\]-]+)+')


def _breakable(value: str) -> Markup:
    """Return escaped text that may wrap after dots, slashes and underscores."""
    return Markup(re.sub(r'([._/])(?=\w)', r'\1<wbr>', str(escape(value))))


def make_environment(*folders: Path) -> Environment:
    """Return an environment for HTML templates.

    Args:
        *folders: Folders of templates, in addition to this package's, which contains
            ``tables.html.j2``.
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
        name: Stem of its file.
        title: Title above the plot.
        figure: The plot.
        caption: Text below the plot.
    """

    name: str
    title: str
    figure: Figure
    caption: str = ''


@dataclass(frozen=True)
class Report:
    """Results of an analysis.

    Attributes:
        title: Title of the report.
        facts: What was analysed: config, checkpoint, images, ...
        tables: The tables.
        pictures: The plots.
        notes: Assumptions under which the numbers hold.
        data: The complete result, for the JSON file, see :func:`to_plain`.
        headline: The most important numbers, by name.

    Raises:
        ValueError: If two pictures have the same name, or one is named ``'json'`` or
            ``'html'``.
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
        """Return the report as text for a terminal."""
        parts = ['\n'.join([self.title, '=' * len(self.title), _aligned(self.facts)])]
        if self.notes:
            parts.append('\n'.join(['Assumptions:', *(f'- {n}' for n in self.notes)]))
        parts += [table.text() for table in self.tables]
        if self.headline:
            parts.append(_aligned(self.headline))
        return '\n\n'.join(parts)

    def save(self, out_dir: str | Path) -> dict[str, Path]:
        """Write ``report.json``, a PNG file per picture, and ``report.html``.

        The HTML file embeds the pictures and works offline.

        Args:
            out_dir: Output folder, created if it does not exist.

        Returns:
            The path of each file, under ``'json'``, the picture's name, or ``'html'``.
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
            # some parts, such as legends, are styled when they are drawn
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
    """Return a PNG file in base64, and its width on a page in CSS pixels."""
    # a PNG begins with its signature and the header of its first chunk
    width = round(_PIXEL * int.from_bytes(png[16:20]))
    return dict(base64=base64.b64encode(png).decode(), width=width)


def _aligned(facts: Mapping[str, str]) -> str:
    """Return names and values, one pair per line."""
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
