"""Tables of Markdown pages, as text."""

import re
from collections.abc import Iterator

LINK = re.compile(r'\[([^]]*)\]\(([^)]*)\)')

Table = tuple[list[str], list[list[str]]]
"""Header cells, and the cells of each row."""


def find_tables(page: str) -> Iterator[Table]:
    """Yield each table of a page."""
    for block in re.findall(r'(?:^\|.*\|\n)+', page, re.MULTILINE):
        header, _, *rows = (_cells(line) for line in block.splitlines())
        yield header, rows


def plain_text(cell: str) -> str:
    """Return a cell's text without links, code marks and escapes."""
    return re.sub(r'[`\\]', '', LINK.sub(r'\1', cell)).strip()


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip('|').split('|')]
