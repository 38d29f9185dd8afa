"""Measure how often the neurons of a spiking network fire.

Rates are spikes a neuron and step (Qiu et al., Eq. 12); of residual blocks also what
Figs. 4, 5 and 11 of the SEW paper show (Fang et al. 2021). Usage:
    python tools/analysis_tools/firing_rate.py CONFIG [CHECKPOINT] [--batch-stats]
        [--images DIR | --random [PIXELS ...]] [--num-images 8] [--batch-size 1]
        [--seed 0] [--out-dir DIR] [--cfg-options KEY=VALUE ...]

Prints tables and saves them with plots as report.html, report.json and PNG files.
"""

import argparse
from typing import TYPE_CHECKING

import _analysis
from _firing_plots import draw, has_spikes, short_name

if TYPE_CHECKING:
    from mmengine.model import BaseModel
    from torch import nn

    from mmsnn.analysis.firing import Firing
    from mmsnn.analysis.inputs import Batches
    from mmsnn.analysis.report import Table

MAX_STEPS = 8
"""Of more steps a table would not fit on a terminal; the heat map shows them."""


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description='Measure how often the neurons of a spiking network fire'
    )
    _analysis.add_input_options(parser)
    parser.add_argument(
        '--batch-stats',
        action='store_true',
        help="normalise with each batch's own statistics, as training does, for "
        'networks whose norms have not seen data',
    )
    return parser.parse_args()


def use_batch_stats(model: 'nn.Module') -> None:
    """Let batch norms use each batch's statistics, and keep their own."""
    from torch.nn.modules.batchnorm import _BatchNorm

    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.train()
            module.momentum = 0.0


def measure(model: 'BaseModel', batches: 'Batches') -> 'Firing':
    """Run the model on all batches.

    Raises:
        UserError: If it is not a spiking network, or does not take the images.
    """
    import torch

    from mmsnn.analysis.firing import FiringRates
    from mmsnn.utils.errors import UserError

    try:
        with FiringRates(model) as collector, torch.no_grad():
            for batch in batches:
                model.test_step(batch)
    except UserError:
        raise
    except ValueError as error:
        raise UserError(str(error)) from error
    return collector.result()


def neuron_table(firing: 'Firing') -> 'Table':
    """Return the layers of neurons as a table."""
    from mmsnn.analysis.report import Column, Table

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


def block_table(firing: 'Firing') -> 'Table':
    """Return the residual blocks as a table."""
    from mmsnn.analysis.report import Column, Table

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
    # some numbers belong to other families than the network's
    chosen = [i for i in range(len(columns)) if any(row[i] is not None for row in rows)]
    return Table(
        'Residual blocks: last neurons A, shortcut and output O',
        tuple(columns[i] for i in chosen),
        tuple(tuple(row[i] for i in chosen) for row in rows),
    )


def notes_on(firing: 'Firing', args: argparse.Namespace) -> list[str]:
    """Return what the numbers mean and hold for."""
    notes = [
        'A firing rate is #spikes / (#neurons T): spikes a neuron and step (Qiu et '
        'al., Eq. 12).',
        'Silent is the share of neurons that not one of the images made fire.',
    ]
    if args.batch_stats:
        notes.append(
            f'Norms take the statistics of each batch of up to {args.batch_size} '
            'images: rates depend on the batch size.'
        )
    elif args.checkpoint is None:
        notes.append(
            'Untrained norms know no statistics: layers may be silent here that fire '
            'when training starts, as --batch-stats shows.'
        )
    if has_spikes(firing.blocks):
        notes.append(
            'A, of residual blocks, is the rate of the last spiking neurons; O the '
            'mean value of the output, which is a rate where it is binary; "if '
            'independent" what the merge makes of independent inputs with the measured '
            'rates.'
        )
    elif firing.blocks:
        notes.append('The blocks exchange analog values: their outputs have no rate.')
    return notes


def main() -> None:
    """Measure, print and save.

    Raises:
        UserError: If the command line does not fit the model, or it does not run.
    """
    args = parse_args()
    from mmsnn.analysis.report import Report, si

    _, model, batches, facts = _analysis.load(args)
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
            'Spikes a neuron and step': f'{firing.firing_rate:.4f}',
            'Of single images': f'{low:.4f} to {high:.4f}',
            'Neurons': f'{si(firing.num_neurons)} in {len(firing.neurons)} layers',
        },
    )
    _analysis.finish(report, _analysis.out_dir(args))


if __name__ == '__main__':
    _analysis.run(main)
