"""Measure how often the neurons of a spiking network fire.

Rates are spikes per neuron per time step (Qiu et al., Eq. 12); for residual blocks,
also the values in Figs. 4, 5 and 11 of the SEW paper (Fang et al. 2021). Tables are
printed, and saved with plots as report.html, report.json and PNG files.

Examples:
    mmsnn firing-rate CONFIG CHECKPOINT
    mmsnn firing-rate CONFIG --batch-stats --batch-size 8
    mmsnn firing-rate CONFIG CHECKPOINT --images FOLDER
"""

import argparse
from typing import TYPE_CHECKING

from .common.progress import track
from .common.reports import add_input_options, finish, load

if TYPE_CHECKING:
    from mmengine.model import BaseModel

    from mmsnn.analysis.firing.firing_rates import Firing
    from mmsnn.analysis.model_inputs import Batches


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add_input_options(parser, 'firing_rate')
    parser.add_argument(
        '--batch-stats',
        action='store_true',
        help="normalise with each batch's own statistics, as in training, for "
        'untrained networks',
    )


def measure(model: 'BaseModel', batches: 'Batches') -> 'Firing':
    """Run the model on all batches.

    Raises:
        UserError: If it is not a spiking network, or does not accept the images.
    """
    from mmsnn.analysis.firing.firing_rates import FiringRates
    from mmsnn.utils.dry_run import predict
    from mmsnn.utils.errors import UserError

    try:
        with FiringRates(model) as collector:
            for batch in track(batches, 'Running the model'):
                predict(model, batch)
    except UserError:
        raise
    except ValueError as error:
        raise UserError(str(error)) from error
    return collector.result()


def notes_on(firing: 'Firing', args: argparse.Namespace) -> list[str]:
    """Return notes on what the numbers mean."""
    from mmsnn.reporting.firing_plots import has_spikes

    notes = [
        'A firing rate is #spikes / (#neurons T): spikes per neuron per time step '
        '(Qiu et al., Eq. 12).',
        'Silent is the share of neurons that do not fire for any image.',
    ]
    if args.batch_stats:
        notes.append(
            f'Norms use the statistics of each batch of up to {args.batch_size} '
            'images, so that rates depend on the batch size.'
        )
    elif args.checkpoint is None:
        notes.append(
            'Untrained norms have no statistics of the data: layers that are silent '
            'here may fire when training starts; see --batch-stats.'
        )
    if has_spikes(firing.blocks):
        notes.append(
            'A is the firing rate of the last spiking neurons of a residual block, O '
            'the mean value of its output, which is a firing rate if the output is '
            'binary; "if independent" is the mean output of the merge for independent '
            'inputs with the measured rates.'
        )
    elif firing.blocks:
        notes.append('The blocks return analog values, which have no firing rate.')
    return notes


def main(args: argparse.Namespace) -> None:
    """Measure, print and save.

    Raises:
        UserError: If the options do not fit the model, or the model does not run.
    """
    from mmsnn.analysis.model_parts import use_batch_stats
    from mmsnn.reporting.firing_plots import draw, has_spikes
    from mmsnn.reporting.firing_report import block_table, neuron_table
    from mmsnn.reporting.report import Report, si

    _, model, batches, facts = load(args)
    if args.batch_stats:
        use_batch_stats(model)
    firing = measure(model, batches)
    low, high = min(firing.image_firing_rates), max(firing.image_firing_rates)
    tables = [neuron_table(firing)]
    if has_spikes(firing.blocks):
        tables.append(block_table(firing))
    report = Report(
        title='Firing rates',
        facts=facts,
        tables=tables,
        pictures=draw(firing),
        notes=notes_on(firing, args),
        data=firing,
        headline={
            'Spikes per neuron per time step': f'{firing.firing_rate:.4f}',
            'Of single images': f'{low:.4f} to {high:.4f}',
            'Neurons': f'{si(firing.num_neurons)} in {len(firing.neurons)} layers',
        },
    )
    finish(report, args)
