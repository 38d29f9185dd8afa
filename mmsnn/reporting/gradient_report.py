"""Tables of gradient norms and gradient stability."""

from collections.abc import Sequence

from mmsnn.analysis.gradients.gradient_flow import (
    BlockGradient,
    Gradients,
    LayerGradient,
)
from mmsnn.analysis.gradients.gradient_stability import Stability

from .gradient_plots import flag
from .report import Column, Table


def norm_table(
    title: str, first: str, rows: Sequence[BlockGradient | LayerGradient]
) -> Table:
    """Return the norms of blocks or layers as a table."""
    columns = [Column(first), Column('norm', format='.3e'), Column('flag')]
    cells = [[row.name, row.norm, flag(row.norm)] for row in rows]
    blocks = [row for row in rows if isinstance(row, BlockGradient)]
    if blocks:
        columns.insert(1, Column('passes on', 'C x H x W'))
        for block, line in zip(blocks, cells, strict=True):
            line.insert(1, 'x'.join(map(str, block.shape)))
    notes = [
        f'{len(bad)} {text}: {", ".join(bad)}'
        for kind, text in (
            ('ZERO', 'with gradients that are zero'),
            ('NOT FINITE', 'with gradients that are infinite or not a number'),
            ('none', 'that no gradient reaches (frozen, or not used by the loss)'),
        )
        if (bad := [row.name for row in rows if flag(row.norm) == kind])
    ]
    return Table(title, tuple(columns), tuple(map(tuple, cells)), tuple(notes))


def stability_table(stability: Stability) -> Table:
    """Return the amplitudes of the layers of neurons as a table."""
    steps = max(len(n.step_amplitudes) for n in stability.neurons)
    columns = [
        Column('neurons'),
        Column('path'),
        Column('mean dO/dV', format='.4f', bar=True),
        *(Column(f't = {t + 1}', format='.4f') for t in range(steps)),
    ]
    rows = []
    for n in stability.neurons:
        path = 'main' if n.on_main_path else 'side'
        means = [*n.step_amplitudes, *[None] * (steps - len(n.step_amplitudes))]
        rows.append((n.name, path, n.amplitude, *means))
    return Table('Gradient stability of the neurons', tuple(columns), tuple(rows))


def headline(gradients: Gradients, stability: Stability) -> dict[str, str]:
    """Return the summary numbers of the whole network."""
    numbers = {
        'Gain over blocks of one size': gradients.gain,
        'Stability over the main path': stability.overall,
        'Stability with shortcuts': stability.with_shortcuts,
    }
    shown = {
        name: 'unknown' if value is None else f'{value:.3g}'
        for name, value in numbers.items()
    }
    flagged = sum(bool(flag(block.norm)) for block in gradients.blocks)
    shown['Blocks with flags'] = f'{flagged} of {len(gradients.blocks)}'
    return shown
