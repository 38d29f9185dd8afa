"""Write the tables of docs/paper_numbers.md: numbers of the four papers, and ours.

Usage:
    python tools/docs_tools/paper_numbers.py
"""

import argparse
import sys
from pathlib import Path

# a checkout works without being installed
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from _gac_numbers import gac_numbers  # noqa: E402
from _pages import replace_part  # noqa: E402
from _paper_rows import Number  # noqa: E402
from _residual_numbers import danet_numbers, sew_numbers  # noqa: E402
from _sg_numbers import sg_numbers  # noqa: E402

PAGE = Path(__file__).resolve().parents[2] / 'docs' / 'paper_numbers.md'
BEGIN = '<!-- the numbers: python tools/docs_tools/paper_numbers.py -->'
END = '<!-- end of the numbers -->'
COLUMNS = (
    'where',
    'number',
    'paper',
    'mmsnn',
    'command or config',
    'test',
    'difference',
)


def all_numbers() -> list[Number]:
    """Return the numbers of all papers."""
    return [*sg_numbers(), *sew_numbers(), *danet_numbers(), *gac_numbers()]


def table(numbers: list[Number]) -> str:
    """Return the numbers of each paper as a table, in Markdown."""
    sections = []
    for paper in dict.fromkeys(number.paper for number in numbers):
        lines = [
            f'## {paper}',
            '',
            f'| {" | ".join(COLUMNS)} |',
            '|---' * len(COLUMNS) + '|',
        ]
        lines += [row(number) for number in numbers if number.paper == paper]
        sections.append('\n'.join(lines))
    return '\n\n'.join(sections)


def row(number: Number) -> str:
    """Return the row of a number."""
    cells = (
        number.where,
        number.what,
        number.reported,
        number.measure(),
        f'`{number.command}`',
        f'`{number.test}`',
        number.difference or '-',
    )
    return f'| {" | ".join(cells)} |'


def render(page: str) -> str:
    """Return ``page`` with its tables replaced.

    Raises:
        ValueError: If a mark is missing.
    """
    return replace_part(page, PAGE.name, BEGIN, END, table(all_numbers()))


def main() -> None:
    """Rewrite the page."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    PAGE.write_text(render(PAGE.read_text(encoding='utf-8')), encoding='utf-8')


if __name__ == '__main__':
    main()
