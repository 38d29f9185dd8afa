"""Tables, pictures and notes on coding dynamics."""

from collections.abc import Sequence

from mmsnn.analysis.coding.coding_dynamics import CodingDynamics, EncoderCoding

from . import coding_plots as plots
from .report import Column, Picture, Table

MAX_STEPS = 12
"""Maximum number of time steps of outputs that are drawn."""


UNRELIABLE = 0.05
"""Share of positions with a unique history above which the entropy is unreliable."""


def notes(encoders: Sequence[EncoderCoding]) -> list[str]:
    """Return definitions of the numbers, and warnings if they are unreliable."""
    lines = [
        'A position is one channel at one place of one image.',
        'Exact duration: the smallest period of a position that fires, or T. A random '
        'code may end as it began, and stays a little below T.',
        'Observed duration (Definition 3): the last step before which the same history '
        'went on differently elsewhere.',
        'Entropy (Eq. 9): of a step given all before it, as counted at all positions; '
        "Miller and Madow's term is the correction for few independent samples; "
        'neighbours are alike, so that more is missing.',
    ]
    how = {
        'graded': 'zero and {} equal parts of [0, 1]',
        'analog': 'zero and {} parts that a standard normal variable fills equally',
    }
    for encoder in encoders:
        if encoder.values in how:
            levels = how[encoder.values].format(encoder.levels)
            lines.append(f'Levels of {encoder.name}: {levels}.')
        steps = [i for i, x in enumerate(encoder.lone_share, 1) if x > UNRELIABLE]
        if steps:
            lines.append(
                f'{encoder.name}: from step {steps[0]} on more than {UNRELIABLE:.0%} '
                'of the positions are alone with their history: entropy and observed '
                'duration are too small. Take more images or fewer --levels.'
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
        'duration of those that do not; entropy: of all steps together'
    )
    steps = [steps_table(encoder) for encoder in encoders]
    return [Table('Encoders', columns, rows, (note,)), *steps]


def steps_table(encoder: EncoderCoding) -> Table:
    """Return the table of an encoder's time steps."""
    columns = (
        Column('step'),
        Column('not zero', format='.1%'),
        Column('mean change', format='.4f'),
        Column('entropy', 'bit', '.4f'),
        Column('Miller-Madow', 'bit', '+.0e'),
        Column('histories', format='si'),
        Column('alone', format='.2%'),
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
        ('durations: share of all positions that last until this step',),
    )


def draw(
    collector: CodingDynamics, encoders: Sequence[EncoderCoding], channels: int
) -> list[Picture]:
    """Return the plots."""
    found = [
        Picture(
            'entropy',
            'Entropy, firing and change over the steps',
            plots.draw_entropy(encoders),
            'Entropy of a step is given all steps before it.',
        ),
        Picture(
            'durations',
            'Dynamics durations',
            plots.draw_durations(encoders),
            'Shares of all positions; those that never fire are apart.',
        ),
    ]
    for number, encoder in enumerate(encoders):
        # same channels for an encoder and its direct coding
        shown = collector.examples[encoder.name.removesuffix(' (direct)')]
        chosen = plots.choose_channels(shown, channels)
        steps = min(encoder.num_steps, MAX_STEPS)
        found.append(
            Picture(
                f'outputs_{number}',
                f'Output of {encoder.name} ({encoder.coding}) for the first image',
                plots.draw_outputs(collector.examples[encoder.name][:steps], chosen),
                f'Steps 1 to {steps} of {encoder.num_steps}, from left to right, of '
                'the channels that vary most over the image.',
            )
        )
    return found
