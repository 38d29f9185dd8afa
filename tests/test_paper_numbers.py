"""docs/paper_numbers.md is up to date, and agrees with the papers or says why not."""

import re
import shlex
from pathlib import Path

import pytest
from docs_tools import load_tool

from mmsnn.cli.main import make_parser

ROOT = Path(__file__).resolve().parents[1]


TOOL = load_tool('paper_numbers')
NUMBERS = TOOL.all_numbers()


@pytest.mark.parametrize('number', NUMBERS, ids=lambda n: f'{n.where}, {n.what}')
def test_agrees_with_the_paper(number) -> None:
    measured = number.measure()
    assert (measured == number.reported) == (not number.difference), measured


@pytest.mark.parametrize('command', sorted({number.command for number in NUMBERS}))
def test_command_exists(command: str) -> None:
    words = shlex.split(command)
    for word in words:
        if word.startswith(('configs/', 'tools/')):
            assert (ROOT / word).is_file()
    if words[0] == 'mmsnn':
        make_parser().parse_args(words[1:])
    else:
        assert words[0] == 'python' or words[0].startswith('configs/')


@pytest.mark.parametrize('test', sorted({number.test for number in NUMBERS}))
def test_test_exists(test: str) -> None:
    path, _, name = test.partition('::')
    source = (ROOT / path).read_text(encoding='utf-8')
    assert re.search(rf'^def {name}\(', source, re.MULTILINE)


def test_the_page_is_generated() -> None:
    page = TOOL.PAGE.read_text(encoding='utf-8')
    assert TOOL.render(page) == page, 'run python tools/docs_tools/paper_numbers.py'
