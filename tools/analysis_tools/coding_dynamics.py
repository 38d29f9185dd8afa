"""Measure for how many steps the encoder of a spiking network tells something new.

Dynamics duration and entropy are those of Qiu et al., *Gated attention coding for
training high-performance and efficient spiking neural networks*, Definitions 1 to 3
and Eq. 9. Usage:
    python tools/analysis_tools/coding_dynamics.py CONFIG [CHECKPOINT] [--compare]
        [--levels 16] [--channels 4] [--images DIR | --random [PIXELS ...]]
        [--num-images 8] [--batch-size 1] [--seed 0] [--out-dir DIR]
        [--cfg-options KEY=VALUE ...]

Prints tables and saves them with plots as report.html, report.json and PNG files.
"""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import _analysis

if TYPE_CHECKING:
    from mmsnn.analysis.coding.coding_dynamics import CodingDynamics, EncoderCoding
    from mmsnn.reporting.report import Picture, Table

MAX_STEPS = 12
"""How many steps of outputs are drawn."""

UNRELIABLE = 0.05
"""Share of positions alone with their history above which an entropy is doubted."""


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description='Measure for how many steps the encoder of a spiking network tells '
        'something new'
    )
    _analysis.add_input_options(parser)
    parser.add_argument(
        '--compare',
        action='store_true',
        help='measure direct coding with the same weights beside gated attention '
        'coding: the spikes before the gate',
    )
    parser.add_argument(
        '--levels',
        type=int,
        default=16,
        help='into how many levels values that are no spikes are sorted for the '
        'entropy (default: 16)',
    )
    parser.add_argument(
        '--channels',
        type=int,
        default=4,
        help='how many channels of the output are drawn (default: 4)',
    )
    return parser.parse_args()


def main() -> None:
    """Measure, print and save.

    Raises:
        UserError: If the command line does not fit the model, or it does not run.
    """
    args = parse_args()
    import torch

    from mmsnn.analysis.coding import CodingDynamics
    from mmsnn.reporting.report import Report, plot_style
    from mmsnn.utils.errors import UserError

    if args.channels < 1:
        raise UserError(f'--channels must be at least 1, but got {args.channels}')
    model: Any  # of which nn.Module's annotations hide test_step
    _, model, batches, facts = _analysis.load(args)
    try:
        collector = CodingDynamics(model, args.levels, args.compare)
    except ValueError as error:
        raise UserError(f'config {args.config!r}: {error}') from error
    with collector, torch.no_grad():
        for batch in batches:
            model.test_step(batch)
    coding = collector.result()
    with plot_style():
        pictures = draw(collector, coding.encoders, args.channels)
    report = Report(
        title='Coding dynamics of the encoder',
        facts=facts,
        tables=tables(coding.encoders),
        pictures=pictures,
        notes=notes(coding.encoders),
        data=coding,
    )
    _analysis.finish(report, _analysis.out_dir(args))


def notes(encoders: Sequence['EncoderCoding']) -> list[str]:
    """Return what the numbers assume, and where they are not to be trusted."""
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


def tables(encoders: Sequence['EncoderCoding']) -> list['Table']:
    """Return a table of the encoders, and one of the steps of each."""
    from mmsnn.reporting.report import Column, Table

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


def steps_table(encoder: 'EncoderCoding') -> 'Table':
    """Return the table of an encoder's steps."""
    from mmsnn.reporting.report import Column, Table

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
    collector: 'CodingDynamics', encoders: Sequence['EncoderCoding'], channels: int
) -> list['Picture']:
    """Return the plots."""
    from mmsnn.reporting import coding_plots as plots
    from mmsnn.reporting.report import Picture

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
        # the same channels of an encoder and of its direct coding
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


if __name__ == '__main__':
    _analysis.run(main)
