"""Write the table of residual families in NIR in docs/export.md.

Usage:
    python tools/docs_tools/nir_families.py
"""

import argparse
import sys
from pathlib import Path

# a checkout works without being installed
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import torch  # noqa: E402
from _pages import replace_part  # noqa: E402

from mmsnn.deploy.export.nir_graph import check_nir  # noqa: E402
from mmsnn.models import FAMILIES, ResNetSNN  # noqa: E402

PAGE = Path(__file__).resolve().parents[2] / 'docs' / 'export.md'
BEGIN = '<!-- the families in NIR: python tools/docs_tools/nir_families.py -->'
END = '<!-- end of the families in NIR -->'
STEMS = ('cifar', 'imagenet')


def cell(family: str, stem: str) -> str:
    """Return ``yes``, or what NIR cannot express in a ResNet18 of the family."""
    # later stages have the layers of the second
    network = ResNetSNN(
        18, family, base_channels=2, num_steps=2, stem=stem, out_indices=(1,)
    )
    reasons = check_nir(network.eval(), torch.zeros(1, 3, 64, 64))
    if not reasons:
        return 'yes'
    layer, _, reason = reasons[0].partition(': ')
    return f'no: `{layer}`, {reason}'


def table() -> str:
    """Return the table, in Markdown."""
    columns = ('family', *(f"with stem `'{stem}'`" for stem in STEMS))
    lines = [f'| {" | ".join(columns)} |', '|---' * len(columns) + '|']
    for family in FAMILIES:
        cells = (family, *(cell(family, stem) for stem in STEMS))
        lines.append(f'| {" | ".join(cells)} |')
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
