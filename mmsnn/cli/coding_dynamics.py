"""Measure for how many time steps an encoder adds information.

Dynamics duration and entropy are those of Qiu et al., *Gated attention coding for
training high-performance and efficient spiking neural networks*, Definitions 1 to 3
and Eq. 9. Tables are printed, and saved with plots as report.html, report.json and PNG
files.

Examples:
    mmsnn coding-dynamics CONFIG CHECKPOINT
    mmsnn coding-dynamics CONFIG CHECKPOINT --compare --num-images 32
"""

import argparse

from .common.progress import track
from .common.reports import add_input_options, finish, load


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add_input_options(parser, 'coding_dynamics')
    parser.add_argument(
        '--compare',
        action='store_true',
        help='also measure direct coding with the same weights: the spikes before the '
        'gate of gated attention coding',
    )
    parser.add_argument(
        '--levels',
        type=int,
        default=16,
        help='number of levels to which values other than spikes are quantised for '
        'the entropy (default: 16)',
    )
    parser.add_argument(
        '--channels',
        type=int,
        default=4,
        help='number of output channels to draw (default: 4)',
    )


def main(args: argparse.Namespace) -> None:
    """Measure, print and save.

    Raises:
        UserError: If the options do not fit the model, or the model does not run.
    """
    from mmsnn.analysis.coding import CodingDynamics
    from mmsnn.reporting.coding_report import draw, notes, tables
    from mmsnn.reporting.report import Report, plot_style
    from mmsnn.utils.dry_run import predict
    from mmsnn.utils.errors import UserError

    if args.channels < 1:
        raise UserError(f'--channels must be at least 1, but got {args.channels}')
    _, model, batches, facts = load(args)
    try:
        collector = CodingDynamics(model, args.levels, args.compare)
    except ValueError as error:
        raise UserError(f'config {args.config!r}: {error}') from error
    with collector:
        for batch in track(batches, 'Running the model'):
            predict(model, batch)
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
    finish(report, args)
