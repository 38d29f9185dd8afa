"""Count a model's operations and their energy, by layer.

Counts the operations that a model executes on the config's own test set, a folder of
images or noise, and estimates their energy; a spiking model is compared with the same
network without spikes. All assumptions are printed. Tables are printed, and saved with
plots as report.html, report.json and PNG files.

Examples:
    mmsnn energy CONFIG CHECKPOINT --num-images 100
    mmsnn energy CONFIG --random 224 --costs GAC
    mmsnn energy CONFIG CHECKPOINT --mac-pj 4.6 --ac-pj 0.9 --spikes exact
"""

import argparse
from typing import TYPE_CHECKING

from .common.exit_codes import note
from .common.progress import track
from .common.reports import add_input_options, finish, load

if TYPE_CHECKING:
    from mmsnn.analysis import (
        CountingRules,
        EnergyModel,
    )


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add_input_options(parser, 'energy')
    parser.add_argument(
        '--costs', help='name of the energy model, such as SG (default) or GAC'
    )
    parser.add_argument('--mac-pj', type=float, help='energy of a MAC in pJ')
    parser.add_argument('--ac-pj', type=float, help='energy of an accumulation in pJ')
    parser.add_argument(
        '--spikes',
        choices=['rate', 'exact'],
        default='rate',
        help='estimate accumulations from the mean input, as the papers do (default), '
        'or count each one',
    )
    parser.add_argument(
        '--encoder',
        choices=['mac', 'values'],
        default='mac',
        help='multiply integer inputs of the encoder (default), or count them as those '
        'of other layers',
    )
    parser.add_argument(
        '--integer',
        choices=['accumulations', 'mac'],
        default='accumulations',
        help='count an integer spike of value k as k accumulations (default) or as a '
        'MAC',
    )
    for name, text in (
        ('projections', 'ignore convolutions on shortcuts, as the SG paper does'),
        ('products', 'ignore element-wise products in encoders and decoders'),
    ):
        parser.add_argument(f'--no-{name}', action='store_true', help=text)
    for name, text in (
        ('neuron-updates', 'count updates of membrane potentials'),
        ('norms', 'count norms, which are otherwise assumed to be folded'),
    ):
        parser.add_argument(f'--{name}', action='store_true', help=text)
    parser.add_argument(
        '--word-bits',
        type=int,
        default=32,
        help='size of weights and analog values in memory (default: 32)',
    )


def find_costs(args: argparse.Namespace) -> 'EnergyModel':
    """Return the energy model that the options select.

    Raises:
        UserError: If the name is unknown, or only one of the two energies is given.
    """
    from mmsnn.analysis import EnergyModel
    from mmsnn.analysis.energy.energy_models import find_energy_model
    from mmsnn.utils.errors import UserError

    given = (args.mac_pj, args.ac_pj)
    if given == (None, None):
        try:
            return find_energy_model(args.costs or 'SG')
        except ValueError as error:
            raise UserError(f'--costs: {error}') from error
    if None in given or args.costs is not None:
        raise UserError('--mac-pj and --ac-pj must be given together, without --costs')
    try:
        return EnergyModel('given', *given, 'command line')
    except ValueError as error:
        raise UserError(f'--mac-pj, --ac-pj: {error}') from error


def find_rules(args: argparse.Namespace) -> 'CountingRules':
    """Return the rules that the options set."""
    from mmsnn.analysis import CountingRules

    return CountingRules(
        args.spikes,
        args.encoder,
        args.integer,
        projections=not args.no_projections,
        products=not args.no_products,
        neuron_updates=args.neuron_updates,
        norms=args.norms,
    )


def main(args: argparse.Namespace) -> None:
    """Count operations, estimate their energy, print and save the report.

    Raises:
        UserError: If an option is wrong, or the model does not run.
    """
    from mmsnn.utils.errors import UserError

    if args.word_bits < 1:
        raise UserError(f'--word-bits must be at least 1, but got {args.word_bits}')
    costs, rules = find_costs(args), find_rules(args)

    from mmsnn.analysis import (
        OperationCounter,
        estimate_energy,
        estimate_memory,
        without_spikes,
    )
    from mmsnn.reporting import energy_report as draw
    from mmsnn.reporting.report import Report, si
    from mmsnn.utils.dry_run import predict

    _, model, batches, facts = load(args)
    with OperationCounter(model) as counter:
        for batch in track(batches, 'Counting operations'):
            predict(model, batch)
    operations = counter.result()
    estimate = estimate_energy(operations, costs, rules)
    ann = estimate_energy(without_spikes(operations), costs, rules)
    if operations.num_steps is None:
        note('the model has no spiking neurons: every layer multiplies')
    if operations.uncounted:
        note(f'not counted: {", ".join(operations.uncounted)}')
    total = estimate.total
    times_less = draw.times_less(total.energy_pj, ann.total.energy_pj)
    headline = {
        'Parameters': si(operations.parameters),
        'Energy': f'{total.energy_pj:.3e} pJ ({si(total.macs)} MACs, '
        f'{si(total.accumulations)} ACs)',
        'Without spikes': f'{ann.total.energy_pj:.3e} pJ ({si(ann.total.macs)} MACs)',
        'Times less': '-' if times_less is None else f'{times_less:.2f}',
    }
    report = Report(
        title='Operations and energy',
        facts=facts,
        tables=(
            draw.part_table(estimate, ann),
            draw.layer_table(estimate, operations),
            draw.costs_table(operations, rules),
            draw.memory_table(operations, args.word_bits),
        ),
        pictures=(
            draw.draw_parts(estimate, ann),
            draw.draw_layers(estimate),
        ),
        notes=estimate.assumptions,
        data={
            'estimate': estimate,
            'total': total,
            'without_spikes': ann.total,
            'operations': operations,
            'memory': estimate_memory(operations, args.word_bits).total,
        },
        headline=headline,
    )
    finish(report, args)
