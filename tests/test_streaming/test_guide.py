"""The examples of the guide run."""

import re
from pathlib import Path
from typing import Any

GUIDE = Path(__file__).resolve().parents[2] / 'docs' / 'streaming.md'


def test_examples() -> None:
    variables: dict[str, Any] = {}
    for block in re.findall(r'```python\n(.*?)```', GUIDE.read_text('utf-8'), re.S):
        exec(block, variables)
    assert variables['state']
