"""Tables, pictures and notes on coding dynamics."""

from collections.abc import Sequence

from mmsnn.analysis.coding.coding_dynamics import CodingDynamics, EncoderCoding

from . import coding_plots as plots
from .report import Column, Picture, Table

MAX_STEPS = 12
"""Maximum number of time steps whose outputs are drawn."""
UNRELIABLE = 0.05
"""Share of positions with a unique history above which the entropy is unreliable."""


def notes(encoders: Sequence[EncoderCoding]) -> list[str]:
    """Return definitions of the numbers, and warnings if they are unreliable."""
    lines = [
        'A position is one channel at one pixel of one image.',
        'Exact duration: smallest period of the sequence of a position that fires; T '
        'if there is none. Random sequences may be periodic by chance, so that their '
        'mean is slightly less than T.',
        'Observed duration (Definition 3): last time step before which other positions '
        'had different outputs after the same history.',
        'Entropy (Eq. 9): of a time step given all previous ones, estimated over all '
        'positions. The Miller-Madow correction for few samples assumes independent '
        'positions; neighbours are correlated, so that the actual bias is larger.',
    ]
    how = {
        'graded': 'zero and {} equal intervals of [0, 1]',
        'analog': 'zero and {} equally likely intervals of a standard normal variable',
    }
    for encoder in encoders:
        if encoder.values in how:
            levels = how[encoder.values].format(encoder.levels)
            lines.append(f'Levels of {encoder.name}: {levels}.')
        steps = [i for i, x in enumerate(encoder.lone_share, 1) if x > UNRELIABLE]
        if steps:
            lines.append(
                f'{encoder.name}: from step {steps[0]} on, more than {UNRELIABLE:.0%} '
                'of the positions have a unique history: entropy and observed duration '
                'are too small. Use more images or fewer --levels.'
            )
    return lines


def tables(encoders: Sequence[EncoderCoding]) -> list[Table]:
    """Return a table of the encoders, and a table of the time steps per encoder."""
    columns = (
        Column('encoder'),
        Column('coding'),
        Column('output'),
        Column('positions', format='si'),
        Column('silent', format='.1%'),
        Column('exact', 'steps', '.2f'),
        Column('observed', 'steps', '.2f'),
        Column('of silent', 'steps'),
        Column('entropy', 'bit', '.3f'),
    )
    rows = tuple(
        (
            e.name,
            e.coding,
            e.values,
            e.num_positions,
            e.silent_share,
            e.mean_duration_steps,
            e.mean_observed_duration_steps,
            e.silent_duration_steps,
            sum(e.entropy_bits),
        )
        for e in encoders
    )
    note = (
        'exact, observed: mean durations of positions that fire; of silent: observed '
        'duration of positions that do not; entropy: of all time steps together'
    )
    steps = [steps_table(encoder) for encoder in encoders]
    return [Table('Encoders', columns, rows, (note,)), *steps]


def steps_table(encoder: EncoderCoding) -> Table:
    """Return the table of an encoder's time steps."""
    columns = (
        Column('step'),
        Column('nonzero', format='.1%'),
        Column('mean change', format='.4f'),
        Column('entropy', 'bit', '.4f'),
        Column('Miller-Madow', 'bit', '+.0e'),
        Column('histories', format='si'),
        Column('unique', format='.2%'),
        Column('exact duration', format='.1%'),
        Column('observed duration', format='.1%'),
    )
    rows = zip(
        range(1, encoder.num_steps + 1),
        encoder.firing_rate,
        (None, *encoder.step_change),
        encoder.entropy_bits,
        encoder.entropy_bias_bits,
        encoder.histories,
        encoder.lone_share,
        [n / encoder.num_positions for n in encoder.durations],
        [n / encoder.num_positions for n in encoder.observed_durations[1:]],
        strict=True,
    )
    return Table(
        f'Steps of {encoder.name}',
        columns,
        tuple(rows),
        ('durations: share of all positions with this duration',),
    )


def draw(
    collector: CodingDynamics, encoders: Sequence[EncoderCoding], channels: int
) -> list[Picture]:
    """Return the plots."""
    found = [
        Picture(
            'entropy',
            'Entropy, firing and change over time',
            plots.draw_entropy(encoders),
            'Entropy of each time step given all previous ones.',
        ),
        Picture(
            'durations',
            'Dynamics duration',
            plots.draw_durations(encoders),
            'Shares of all positions; positions that never fire are shown separately.',
        ),
    ]
    for number, encoder in enumerate(encoders):
        # the same channels for an encoder and its direct coding
        shown = collector.examples[encoder.name.removesuffix(' (direct)')]
        chosen = plots.choose_channels(shown, channels)
        steps = min(encoder.num_steps, MAX_STEPS)
        found.append(
            Picture(
                f'outputs_{number}',
                f'Output of {encoder.name} ({encoder.coding}) for the first image',
                plots.draw_outputs(collector.examples[encoder.name][:steps], chosen),
                f'Time steps 1 to {steps} of {encoder.num_steps}, from left to right, '
                'of the channels that vary most over the image.',
            )
        )
    return found
