"""Write the tables of docs/energy.md: known costs, and the SG paper's Table 5.

Usage:
    python tools/docs_tools/energy_tables.py
"""

import argparse
import sys
from pathlib import Path

import torch

# a checkout works without being installed
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from _pages import replace_part  # noqa: E402
from mmengine.config import Config  # noqa: E402
from mmpretrain.registry import MODELS  # noqa: E402

import mmsnn  # noqa: E402, F401
from mmsnn.analysis import (  # noqa: E402
    ENERGY_MODELS,
    CountingRules,
    OperationCounter,
    energy_pj,
    estimate_energy,
    without_spikes,
)

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / 'docs' / 'energy.md'
CONFIG = ROOT / 'configs' / 'cifar100' / 'sg-r18-asd_1xb32-amp-200e_cifar100.py'
COSTS = (
    '<!-- the costs: python tools/docs_tools/energy_tables.py -->',
    '<!-- end of costs -->',
)
TABLE_5 = (
    '<!-- Table 5: python tools/docs_tools/energy_tables.py -->',
    '<!-- end of Table 5 -->',
)
PAPERS_ACS = 348.9e6


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
    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile(CONFIG).model)
    # in training mode, batch statistics make an untrained network fire
    with OperationCounter(model.train()) as counter, torch.no_grad():
        model(torch.randn(2, 3, 32, 32))
    operations = counter.result()
    decoder = sum(
        layer.weights for layer in operations.layers if layer.part == 'decoder'
    )
    without_decoder = operations.parameters - decoder
    rules = CountingRules(projections=False)
    ann = estimate_energy(without_spikes(operations), 'SG', rules).total
    with_shortcuts = estimate_energy(without_spikes(operations), 'SG').total
    macs = sum(
        layer.mean.analog.dense
        for layer in operations.layers
        if layer.kind != 'norm' and layer.part != 'backbone'
    )
    snn = energy_pj(macs, PAPERS_ACS, 'SG')
    lines = [
        '| | paper | counted |',
        '|---|---|---|',
        f'| ANN, parameters | 11.22 M | {without_decoder / 1e6:.2f} M |',
        f'| SNN, parameters | 11.25 M | {operations.parameters / 1e6:.2f} M |',
        f'| ANN, MACs | 549.2 M | {ann.macs / 1e6:.1f} M '
        f'({with_shortcuts.macs / 1e6:.1f} M with the convolutions of shortcuts) |',
        f'| ANN, energy | 1.7e9 pJ | {ann.energy_pj:.2e} pJ |',
        f'| SNN, MACs (encoder, ASD, classifier) | 1.9 M | {macs / 1e6:.2f} M |',
        f"| SNN, energy at the paper's {PAPERS_ACS / 1e6:.1f} M ACs | 4.1e7 pJ "
        f'| {snn:.2e} pJ |',
        f'| times less | 41.7 | {ann.energy_pj / snn:.1f} |',
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
