"""The examples and commands of the guide run, and its table is the measured one."""

import importlib.util
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from mmsnn.cli.main import make_parser

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / 'docs' / 'streaming.md').read_text('utf-8')


def blocks(language: str) -> list[str]:
    return re.findall(rf'```{language}\n(.*?)```', GUIDE, re.DOTALL)


def test_examples() -> None:
    variables: dict[str, Any] = {}
    for block in blocks('python'):
        exec(block, variables)
    assert variables['state']


@pytest.mark.parametrize(
    'line', [line for block in blocks('bash') for line in block.splitlines()]
)
def test_command_is_understood(line: str) -> None:
    first, *words = shlex.split(line)
    assert first == 'mmsnn'
    make_parser().parse_args(words)


def test_the_rates_are_those_of_the_benchmark() -> None:
    path = ROOT / 'tools' / 'docs_tools' / 'streaming_rates.py'
    spec = importlib.util.spec_from_file_location('streaming_rates', path)
    assert spec is not None and spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    result = json.loads(tool.RESULT.read_text('utf-8'))
    assert tool.render(GUIDE, result) == GUIDE, f'run python {path.relative_to(ROOT)}'
    with pytest.raises(ValueError, match='must hold the lines'):
        tool.render('a page without marks', result)
