"""Reports: what is printed, saved and drawn."""

import base64
import json
import math
import re
from dataclasses import dataclass
from enum import Enum
from html.parser import HTMLParser
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from mmsnn.reporting.report import (
    Column,
    Picture,
    Report,
    Table,
    plot_style,
    si,
    to_plain,
)

# Elements without an end tag.
VOID = {'meta', 'img', 'wbr'}


class Page(HTMLParser):
    """Checks that elements are closed in order; keeps texts, cells and sources."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sources: list[str] = []
        self.rows: list[list[str]] = []
        self.tags: list[str] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [v or '' for k, v in attrs if k in ('src', 'href')]
        if tag == 'tr':
            self.rows.append([])
        if tag in ('td', 'th'):
            self.rows[-1].append('')
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if {'td', 'th'} & set(self.open):
            self.rows[-1][-1] += data


@pytest.fixture
def table() -> Table:
    columns = (
        Column('Layer'),
        Column('Energy', 'pJ', '.1f', bar=True),
        Column('MACs', format='si'),
        Column('Spiking'),
    )
    rows = (
        ('stage.0.conv', 1.0, 2_000_000, True),
        ('a <b> & "c"', 4.0, None, False),
        ('sum', 5.0, 2_000_000, None),
    )
    return Table('Layers', columns, rows, notes=('A note.',), bold_last=True)


@pytest.fixture
def report(table: Table) -> Report:
    with plot_style():
        figure = Figure(figsize=(3, 2))
        figure.subplots().plot([1, 2, 3], label='<script>')
    return Report(
        'Energy of <a net>',
        facts={'Config': 'configs/x.py', 'Command': 'python tool.py --num-images 2'},
        tables=(table,),
        pictures=(Picture('curve', 'A curve', figure, 'It <rises>.'),),
        notes=('Norms are folded.',),
        data={'energy_pj': 5.0, 'ratio': math.nan},
        headline={'Total': '5.0 pJ'},
    )


@pytest.fixture
def page(report: Report, tmp_path: Path) -> Page:
    return Page(report.save(tmp_path)['html'].read_text(encoding='utf-8'))


TEXT = """\
Energy of <a net>
=================
Config   configs/x.py
Command  python tool.py --num-images 2

Assumptions:
- Norms are folded.

Layers
----------------------------------------
Layer         Energy [pJ]  MACs  Spiking
----------------------------------------
stage.0.conv          1.0   2 M  yes
a <b> & "c"           4.0     -  no
----------------------------------------
sum                   5.0   2 M  -
A note.

Total  5.0 pJ"""


def test_text(report: Report) -> None:
    assert report.text() == TEXT


@pytest.mark.parametrize(
    ('value', 'text'),
    [
        (0, '0'),
        (0.25, '0.25'),
        (999.4, '999.4'),
        (999.96, '1 k'),
        (1000, '1 k'),
        (12_345_678, '12.35 M'),
        (-3.1e9, '-3.1 G'),
        (999_960_000_000, '1 T'),
        (5e15, '5000 T'),
        (math.inf, 'inf'),
    ],
)
def test_si(value: float, text: str) -> None:
    assert si(value) == text


@pytest.mark.parametrize(
    ('spec', 'value', 'text'),
    [
        ('', 'conv', 'conv'),
        ('.3f', None, '-'),
        ('.3f', math.nan, '-'),
        ('.3f', np.float32(0.5), '0.500'),
        ('.1%', 0.125, '12.5%'),
        ('', 3, '3'),
        ('.2f', 'text', 'text'),
        ('', True, 'yes'),
        ('si', np.int64(1500), '1.5 k'),
    ],
)
def test_cells(spec: str, value: object, text: str) -> None:
    assert Column('x', format=spec).show(value) == text


def test_files(report: Report, tmp_path: Path) -> None:
    files = report.save(tmp_path / 'new' / 'folder')
    assert {k: v.name for k, v in files.items()} == {
        'json': 'report.json',
        'curve': 'curve.png',
        'html': 'report.html',
    }
    content = json.loads(files['json'].read_text())
    assert content['data'] == {'energy_pj': 5.0, 'ratio': None}
    assert content['facts'] == report.facts
    assert content['assumptions'] == ['Norms are folded.']
    before = [file.read_bytes() for file in files.values()]
    again = report.save(tmp_path / 'again')
    assert [file.read_bytes() for file in again.values()] == before


def test_html_is_self_contained(page: Page, report: Report, tmp_path: Path) -> None:
    anchors = [source for source in page.sources if source.startswith('#')]
    (image,) = (source for source in page.sources if not source.startswith('#'))
    assert anchors == ['#s1', '#s2']
    prefix = 'data:image/png;base64,'
    assert image.startswith(prefix)
    png = (tmp_path / 'curve.png').read_bytes()
    assert base64.b64decode(image.removeprefix(prefix)) == png
    assert not {'script', 'link', 'iframe'} & set(page.tags)
    html = (tmp_path / 'report.html').read_text()
    assert not re.search(r'https?:|@import|url\(', html)


def test_html_shows_everything(page: Page) -> None:
    text = ' '.join(' '.join(page.words).split())
    for part in (
        'Energy of <a net>', '5.0 pJ', 'Norms are folded.', '--num-images', 'A note.',
        'It <rises>.',
    ):  # fmt: skip
        assert part in text
    head, *rows = page.rows
    assert head == ['Layer', 'Energy pJ', 'MACs', 'Spiking']
    # the second cell is the bar's
    assert rows == [
        ['stage.0.conv', '', '1.0', '2 M', 'yes'],
        ['a <b> & "c"', '', '4.0', '-', 'no'],
        ['sum', '', '5.0', '2 M', '-'],
    ]


def test_bars_are_parts_of_the_largest(table: Table, tmp_path: Path) -> None:
    values = (0.0, -1.0, math.nan, math.inf, None, 2.0, 0.5)
    column = Column('x', bar=True)
    tables = (
        table,  # whose total, larger than all, has none
        Table('odd', (column,), tuple((value,) for value in values)),
        Table('none', (column,), ((None,), (0.0,))),
        Table('empty', (column,), ()),
    )
    html = Report('x', {}, tables).save(tmp_path)['html'].read_text()
    widths = re.findall(r'<i style="width:(.*?)"', html)
    assert widths == ['25%', '100%', '100%', '25%']


def test_names_and_paths_are_code(tmp_path: Path) -> None:
    facts = {'Config': 'a/b_c.py', 'Ratio': '3.82', 'Model': '<b>.conv'}
    html = Report('x', facts).save(tmp_path)['html'].read_text()
    shown = re.findall(r'<dd>(.*)</dd>', html)
    assert shown == [
        '<code>a/<wbr>b_<wbr>c.<wbr>py</code>', '3.82', '&lt;b&gt;.conv'
    ]  # fmt: skip


def test_a_long_table_scrolls(tmp_path: Path) -> None:
    tables = [Table('x', (Column('n'),), ((1,),) * rows) for rows in (24, 25)]
    html = Report('x', {}, tables).save(tmp_path)['html'].read_text()
    assert re.findall(r'class="(scroll.*?)"', html) == ['scroll', 'scroll long']


def test_style_leaves_nothing_behind() -> None:
    before = dict(matplotlib.rcParams)
    with plot_style():
        assert dict(matplotlib.rcParams) != before
    assert dict(matplotlib.rcParams) == before


def test_plain_values() -> None:
    class Kind(Enum):
        SPIKE = 'spike'

    @dataclass(frozen=True)
    class Layer:
        name: str
        rates: tuple[float, ...]
        kind: Kind

    value = {
        1: Layer('a', (0.5, math.nan, -math.inf), Kind.SPIKE),
        'path': Path('a/b'),
        'arrays': (np.ones((1, 2)), torch.tensor([1, 2]), np.bool_(True), np.int8(3)),
        'set': {2, 1},
    }
    assert to_plain(value) == {
        '1': {'name': 'a', 'rates': [0.5, None, '-inf'], 'kind': 'spike'},
        'path': 'a/b',
        'arrays': [[[1.0, 1.0]], [1, 2], True, 3],
        'set': [1, 2],
    }
