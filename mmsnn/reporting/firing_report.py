"""Tables of firing rates."""

from mmsnn.analysis.firing.firing_rates import Firing

from .firing_plots import short_name
from .report import Column, Table

MAX_STEPS = 8
"""Maximum number of time steps in a table; the heat map shows any number."""


def neuron_table(firing: Firing) -> Table:
    """Return the layers of neurons as a table."""
    steps = max(len(n.step_firing_rates) for n in firing.neurons)
    steps = steps if steps <= MAX_STEPS else 0
    columns = (
        Column('neurons'),
        Column('part'),
        Column('number', format='si'),
        Column('rate', format='.4f', bar=True),
        *(Column(f't = {t + 1}', format='.4f') for t in range(steps)),
        Column('silent', format='.1%'),
    )
    gaps = [None] * steps
    rows = [
        (
            short_name(n.name),
            n.part,
            n.num_neurons,
            n.firing_rate,
            *[*n.step_firing_rates, *gaps][:steps],
            n.silent_share,
        )
        for n in firing.neurons
    ]
    rows.append(('all', '', firing.num_neurons, firing.firing_rate, *gaps, None))
    return Table('Firing rates of neurons', columns, tuple(rows), bold_last=True)


def block_table(firing: Firing) -> Table:
    """Return the residual blocks as a table."""
    columns = [
        Column('block'),
        Column('merge'),
        Column('shortcut projects'),
        Column('A', format='.4f', bar=True),
        Column('shortcut', format='.4f'),
        Column('O', format='.4f', bar=True),
        Column('O is'),
        Column('if independent', format='.4f'),
        Column('sum over stage', format='.4f'),
    ]
    rows = [
        (
            short_name(b.name),
            None if b.merge is None else b.merge.removesuffix('Merge'),
            b.downsamples,
            b.last_firing_rate,
            b.shortcut_mean,
            b.output_mean,
            b.output_values,
            b.expected_mean,
            b.sum_mean,
        )
        for b in firing.blocks
    ]
    # omit columns that do not apply to the network's family
    chosen = [i for i in range(len(columns)) if any(row[i] is not None for row in rows)]
    return Table(
        'Residual blocks: last neurons A, shortcut and output O',
        tuple(columns[i] for i in chosen),
        tuple(tuple(row[i] for i in chosen) for row in rows),
    )
