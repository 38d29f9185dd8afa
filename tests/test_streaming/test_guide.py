"""The examples of the guide run, and say what they say."""

import re
from pathlib import Path
from typing import Any

GUIDE = Path(__file__).resolve().parents[2] / 'docs' / 'streaming.md'


def test_examples() -> None:
    blocks = re.findall(r'```python\n(.*?)```', GUIDE.read_text('utf-8'), re.DOTALL)
    *short, measurement = blocks
    variables: dict[str, Any] = {}
    for block in short:
        exec(block, variables)
    assert variables['state']
    small = measurement.replace('128, 128', '16, 16').replace('depth=18', 'depth=10')
    exec(small.replace('torch.set_num_threads(1)', ''), variables)
    assert all(variables['frames_per_second'](streams) > 0 for streams in (True, False))
