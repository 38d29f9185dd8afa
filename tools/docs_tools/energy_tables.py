"""Write the tables of docs/energy.md: known costs, and the SG paper's Table 5.

Usage:
    python tools/docs_tools/energy_tables.py
"""

import argparse
import sys
from pathlib import Path

# a checkout works without being installed
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import _measured_numbers as measured  # noqa: E402
from _measured_numbers import PAPERS_ACS, millions  # noqa: E402
from _pages import replace_part  # noqa: E402

from mmsnn.analysis import ENERGY_MODELS, energy_pj  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / 'docs' / 'energy.md'
COSTS = (
    '<!-- the costs: python tools/docs_tools/energy_tables.py -->',
    '<!-- end of costs -->',
)
TABLE_5 = (
    '<!-- Table 5: python tools/docs_tools/energy_tables.py -->',
    '<!-- end of Table 5 -->',
)


def costs() -> str:
    """Return the known costs, in Markdown."""
    lines = ['| name | MAC, pJ | AC, pJ | source |', '|---|---|---|---|']
    lines += [
        f'| `{model.name}` | {model.mac_pj:g} | {model.accumulation_pj:g} '
        f'| {model.source} |'
        for model in ENERGY_MODELS.values()
    ]
    return '\n'.join(lines)


def table_5() -> str:
    """Return the paper's Table 5 next to the counted numbers, in Markdown.

    Dense counts do not depend on the weights. Accumulations do; they are the paper's.
    """
    parameters = measured.count(measured.build(measured.TABLE_5))
    ann = measured.ann_macs(measured.TABLE_5, 32, projections=False)
    with_shortcuts = measured.ann_macs(measured.TABLE_5, 32)
    macs = measured.snn_macs()
    ann_pj, snn_pj = energy_pj(ann, 0, 'SG'), energy_pj(macs, PAPERS_ACS, 'SG')
    without_decoder = parameters - measured.decoder_parameters()
    lines = [
        '| | paper | counted |',
        '|---|---|---|',
        f'| ANN, parameters | 11.22 M | {millions(without_decoder)} |',
        f'| SNN, parameters | 11.25 M | {millions(parameters)} |',
        f'| ANN, MACs | 549.2 M | {millions(ann, 1)} '
        f'({millions(with_shortcuts, 1)} with the convolutions of shortcuts) |',
        f'| ANN, energy | 1.7e9 pJ | {ann_pj:.2e} pJ |',
        f'| SNN, MACs (encoder, ASD, classifier) | 1.9 M | {millions(macs)} |',
        f"| SNN, energy at the paper's {millions(PAPERS_ACS, 1)} ACs | 4.1e7 pJ "
        f'| {snn_pj:.2e} pJ |',
        f'| times less | 41.7 | {ann_pj / snn_pj:.1f} |',
    ]
    return '\n'.join(lines)


def render(page: str) -> str:
    """Return ``page`` with its two tables replaced.

    Raises:
        ValueError: If a mark is missing.
    """
    page = replace_part(page, PAGE.name, *COSTS, costs())
    return replace_part(page, PAGE.name, *TABLE_5, table_5())


def main() -> None:
    """Rewrite the page."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    PAGE.write_text(render(PAGE.read_text(encoding='utf-8')), encoding='utf-8')


if __name__ == '__main__':
    main()
