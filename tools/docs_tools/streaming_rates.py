"""Write the table of docs/streaming.md from docs/benchmarks/streaming.json.

The file was saved by benchmarks/streaming.py with --json.

Usage:
    python tools/docs_tools/streaming_rates.py
"""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from _pages import replace_part  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / 'docs' / 'streaming.md'
RESULT = ROOT / 'docs' / 'benchmarks' / 'streaming.json'
BEGIN = '<!-- the rates: python tools/docs_tools/streaming_rates.py -->'
END = '<!-- end of the rates -->'
STREAM, WINDOW = ', stream', ', window'


def render(page: str, result: Mapping[str, Any]) -> str:
    """Return the page with the table of a result.

    Raises:
        ValueError: If the page lacks the marks.
    """
    host, cases = result['machine'], result['cases']
    rows = [
        '| detector | T | stream | T steps per frame | times as fast (5 to 95 %) |',
        '|---|---|---|---|---|',
    ]
    for ratio in result['ratios']:
        name = ratio['base'].removesuffix(STREAM)
        stream, window = (
            1000 / cases[name + kind]['median_ms'] for kind in (STREAM, WINDOW)
        )
        rows.append(
            f'| {name} | {result["num_steps"][name]} | {stream:.1f} | {window:.1f} | '
            f'{ratio["ratio_of_pairs"]:.2f} ({ratio["p5"]:.2f} to {ratio["p95"]:.2f}) |'
        )
    threads = result['settings']['threads']
    machine = (
        f'`{result["command"]}`, {host["processor"]}, torch '
        f'{host["versions"]["torch"]}, {threads} thread{"s" * (threads > 1)}.'
    )
    return replace_part(page, PAGE.name, BEGIN, END, '\n'.join([*rows, '', machine]))


def main() -> None:
    """Rewrite the page."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    result = json.loads(RESULT.read_text(encoding='utf-8'))
    PAGE.write_text(render(PAGE.read_text(encoding='utf-8'), result), encoding='utf-8')


if __name__ == '__main__':
    main()
