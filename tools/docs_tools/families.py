"""Write the table of residual families in docs/families.md from the wiring table.

Usage:
    python tools/docs_tools/families.py
"""

import argparse
import sys
from pathlib import Path

# a checkout works without being installed
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from _pages import replace_part  # noqa: E402

from mmsnn.models import (  # noqa: E402
    DANet,
    ResNetSNN,
    SEWResNet,
    SGResNet,
    SpikingResNet,
)
from mmsnn.models.residual import FAMILIES, Wiring  # noqa: E402

PAGE = Path(__file__).resolve().parents[2] / 'docs' / 'families.md'
BEGIN = '<!-- the wiring table: python tools/docs_tools/families.py -->'
END = '<!-- end of the wiring table -->'

ENTRIES: dict[type[ResNetSNN], str] = {
    SpikingResNet: 'connect',
    SEWResNet: 'connect',
    SGResNet: 'gate',
    DANet: 'variant',
}
HARDWARE = {
    'binary': 'any: spikes only',
    'integer': 'graded spikes, or k accumulations for a spike of value k',
    'analog': 'spikes into the branch, analog shortcuts',
}
COLUMNS = (
    'family',
    'config',
    'branch',
    'shortcut (projection)',
    'merge',
    'after',
    'values',
    'hardware',
    'starts as identity',
    'use',
    'accuracies reported by the papers',
    'source',
)


def config(name: str) -> str:
    """Return the settings of the family ``name``, with its own class if it has one."""
    if name == 'MS':
        return "`type='mmsnn.MSResNet'`"
    if name.startswith('EMS'):
        option = '' if name == 'EMS' else f", family='{name}'"
        return f"`type='mmsnn.EMSResNet'{option}`"
    for entry, option in ENTRIES.items():
        for choice, family in entry.choices.items():
            if family == name:
                return f"`type='mmsnn.{entry.__name__}', {option}='{choice}'`"
    return f"`type='mmsnn.ResNetSNN', family='{name}'`"


def row(name: str, wiring: Wiring) -> str:
    """Return the family's row."""
    merge = shortcut = '-'
    if wiring.merge is not None:
        merge = wiring.merge.__name__.removesuffix('Merge')
        projection = wiring.projection + (', cat' if wiring.concatenates else '')
        shortcut = f'{wiring.identity or "x"} ({projection})'
        if wiring.densely_additive:
            merge += ', densely additive stages'
    norms = ', tdBN' if wiring.threshold_norm else ''
    cells = (
        f'**{name}**',
        config(name),
        f'{wiring.unit}, {wiring.last_unit}{norms}',
        shortcut,
        merge,
        wiring.post or '-',
        wiring.values,
        HARDWARE[wiring.values],
        'yes' if wiring.starts_as_identity else 'no',
        wiring.advice,
        wiring.reported or '-',
        wiring.citation,
    )
    return f'| {" | ".join(cells)} |'


def table() -> str:
    """Return the table of all families, in Markdown."""
    lines = [f'| {" | ".join(COLUMNS)} |', '|---' * len(COLUMNS) + '|']
    lines += [row(name, wiring) for name, wiring in FAMILIES.items()]
    return '\n'.join(lines)


def render(page: str) -> str:
    """Return ``page`` with the table between its two marks replaced.

    Raises:
        ValueError: If a mark is missing.
    """
    return replace_part(page, PAGE.name, BEGIN, END, table())


def main() -> None:
    """Rewrite the page."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    PAGE.write_text(render(PAGE.read_text(encoding='utf-8')), encoding='utf-8')


if __name__ == '__main__':
    main()
