"""Draw spikes, potentials and attention for an image.

For each chosen layer: a raster plot of the spikes, membrane potentials of some neurons,
and maps of the firing rates over the image. For attention spike decoders (ASD): the
temporal, channel and spatial weights; for gated attention coding: the temporal ones.
Tables are printed, and saved with plots as report.html, report.json and PNG files.

Examples:
    mmsnn spikes CONFIG --list-layers
    mmsnn spikes CONFIG CHECKPOINT --layer backbone.stages.1
    mmsnn spikes CONFIG CHECKPOINT --layer backbone.stem --neuron 0 4 7
"""

import argparse
from contextlib import ExitStack
from typing import TYPE_CHECKING

from .common.exit_codes import note
from .common.progress import progress
from .common.reports import add_input_options, finish, load

if TYPE_CHECKING:
    from torch import nn

    from mmsnn.analysis.model_inputs import Batches
    from mmsnn.reporting.spike_report import Seen


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add_input_options(parser, 'spikes')
    # each image has its own pictures
    parser.set_defaults(num_images=1)
    parser.add_argument(
        '--layer',
        nargs='+',
        metavar='NAME',
        help='layers of neurons, or prefixes of their names such as backbone.stages.1 '
        '(default: the first and the last one)',
    )
    parser.add_argument(
        '--list-layers',
        action='store_true',
        help='print the names of the layers of neurons and exit',
    )
    parser.add_argument(
        '--neuron',
        nargs='+',
        type=int,
        action='append',
        metavar='INDEX',
        help='CHANNEL ROW COLUMN of a neuron whose potential is drawn; can be given '
        'several times (default: neurons with different spike counts)',
    )
    parser.add_argument(
        '--traces',
        type=int,
        default=6,
        help='number of potentials to draw without --neuron (default: 6)',
    )


def main(args: argparse.Namespace) -> None:
    """Draw, print and save.

    Raises:
        UserError: If the options do not fit the model, or the model does not run.
    """
    from mmsnn.reporting.image_overlay import picture_settings
    from mmsnn.reporting.report import Report
    from mmsnn.reporting.spike_report import draw_attention, draw_layer, tables, to_data
    from mmsnn.utils.errors import UserError

    if args.list_layers:
        list_layers(args)
        return
    cfg, model, batches, facts = load(args)
    try:
        seen = capture(args, model, batches)
    except ValueError as error:
        raise UserError(f'config {args.config!r}: {error}') from error
    preprocessor = picture_settings(cfg)
    pictures, notes = [], list(NOTES)
    for number, (spikes, attention) in enumerate(seen, 1):
        prefix = f'image{number}_' if len(seen) > 1 else ''
        progress(f'Drawing image {number} of {len(seen)}')
        for layer in spikes.layers:
            pictures += draw_layer(layer, spikes, preprocessor, prefix)
        if attention is not None:
            pictures += draw_attention(attention, preprocessor, prefix)
    if seen[0][1] is None:
        notes.append('The model has no attention to draw.')
    report = Report(
        title='Spikes and attention',
        facts=facts,
        tables=tables(seen),
        pictures=pictures,
        notes=notes,
        data=dict(images=[to_data(*one) for one in seen]),
    )
    progress(f'Saving {len(pictures)} pictures')
    finish(report, args)


NOTES = (
    'Firing rate: spikes per neuron per time step; at most 1, or D for integer spikes.',
    'Potentials are shown before the reset, when they are compared with the threshold. '
    'Lines between the time steps are only a guide to the eye.',
)


def list_layers(args: argparse.Namespace) -> None:
    """Print the names of the layers of neurons.

    Raises:
        UserError: If the model cannot be built, or has none.
    """
    import mmsnn  # noqa: F401
    from mmsnn.analysis.model_inputs import build_model
    from mmsnn.analysis.model_parts import named_neurons
    from mmsnn.utils.config_files import load_config
    from mmsnn.utils.errors import UserError

    cfg = load_config(args.config, args.cfg_options)
    model = build_model(cfg, args.checkpoint, note)
    try:
        neurons = named_neurons(model)
    except ValueError as error:
        raise UserError(f'config {args.config!r}: {error}') from error
    for name, neuron in neurons:
        print(f'{name}  {type(neuron).__name__}')


def capture(args: argparse.Namespace, model: 'nn.Module', batches: 'Batches') -> 'Seen':
    """Run the model and return the spikes and the attention for each image.

    Raises:
        ValueError: If there are no such layers or neurons, or the model does not run.
    """
    from mmsnn.analysis.model_parts import named_neurons
    from mmsnn.analysis.recorders.attention_recorder import (
        AttentionCapture,
        has_attention,
    )
    from mmsnn.analysis.recorders.spike_recorder import SpikeCapture
    from mmsnn.utils.dry_run import predict

    names = [name for name, _ in named_neurons(model)]
    layers = args.layer or [names[0], names[-1]]
    traces = args.neuron or args.traces
    attentive = has_attention(model)
    seen: Seen = []
    total = batches.num_images
    for batch in batches:
        progress(f'Running the model, {len(seen)} of {total} images done')
        images = range(len(batch['inputs']))
        spikes = [SpikeCapture(model, layers, i, traces) for i in images]
        weights = [AttentionCapture(model, i) for i in images if attentive]
        with ExitStack() as stack:
            for collector in (*spikes, *weights):
                stack.enter_context(collector)
            predict(model, batch)
        seen += [
            (one.result(), weights[i].result() if attentive else None)
            for i, one in enumerate(spikes)
        ]
    return seen
