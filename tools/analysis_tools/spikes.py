"""Draw what layers of neurons and attention do for an image.

Of each chosen layer: a raster plot of the spikes, membrane potentials of some neurons,
and maps of the firing rates over the image. Of attention spike decoders (ASD): the
temporal, channel and spatial weights; of gated attention coding: the temporal ones.
Usage:
    python tools/analysis_tools/spikes.py CONFIG [CHECKPOINT] --list-layers
    python tools/analysis_tools/spikes.py CONFIG [CHECKPOINT] [--layer NAME ...]
        [--neuron INDEX ...] [--traces 6] [--images DIR | --random [PIXELS ...]]
        [--num-images 1] [--batch-size 1] [--seed 0] [--out-dir DIR]
        [--cfg-options KEY=VALUE ...]

Prints tables and saves them with plots as report.html, report.json and PNG files.
"""

import argparse
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import _analysis
from _spike_plots import draw_attention, draw_layer

if TYPE_CHECKING:
    from torch import nn

    from mmsnn.analysis.attention import ImageAttention
    from mmsnn.analysis.capture import ImageSpikes
    from mmsnn.analysis.inputs import Batches
    from mmsnn.analysis.report import Table

    Seen = list[tuple[ImageSpikes, ImageAttention | None]]


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description='Draw what layers of neurons and attention do for an image'
    )
    _analysis.add_input_options(parser)
    # each image has pictures of its own
    parser.set_defaults(num_images=1)
    parser.add_argument(
        '--layer',
        nargs='+',
        metavar='NAME',
        help='layers of neurons, or prefixes of their names, as backbone.stages.1 '
        '(default: the first and the last one)',
    )
    parser.add_argument(
        '--list-layers',
        action='store_true',
        help='print the names of the layers of neurons and do nothing else',
    )
    parser.add_argument(
        '--neuron',
        nargs='+',
        type=int,
        action='append',
        metavar='INDEX',
        help='CHANNEL ROW COLUMN of a neuron whose potential is drawn; may be given '
        'several times (default: neurons that fire differently often)',
    )
    parser.add_argument(
        '--traces',
        type=int,
        default=6,
        help='how many potentials are drawn without --neuron (default: 6)',
    )
    return parser.parse_args()


def main() -> None:
    """Draw, print and save.

    Raises:
        UserError: If the command line does not fit the model, or it does not run.
    """
    args = parse_args()
    from mmsnn.analysis.report import Report
    from mmsnn.utils.errors import UserError

    if args.list_layers:
        list_layers(args)
        return
    cfg, model, batches, facts = _analysis.load(args)
    try:
        seen = capture(args, model, batches)
    except ValueError as error:
        raise UserError(f'config {args.config!r}: {error}') from error
    preprocessor = cfg.model.get('data_preprocessor') or cfg.get('data_preprocessor')
    pictures, notes = [], list(NOTES)
    for number, (spikes, attention) in enumerate(seen, 1):
        prefix = f'image{number}_' if len(seen) > 1 else ''
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
    _analysis.finish(report, _analysis.out_dir(args))


NOTES = (
    'Firing rate: spikes a neuron and step, 0 to 1.',
    'Potentials are those before the reset, which the threshold is compared with; the '
    'lines between the steps only join them.',
)


def list_layers(args: argparse.Namespace) -> None:
    """Print the names of the layers of neurons.

    Raises:
        UserError: If the model cannot be built, or has none.
    """
    import mmsnn  # noqa: F401
    from mmsnn.analysis.inputs import build_model
    from mmsnn.analysis.network import named_neurons
    from mmsnn.utils.errors import UserError
    from mmsnn.utils.preflight import load_config

    cfg = load_config(args.config, args.cfg_options)
    model = build_model(cfg, args.checkpoint, _analysis.note)
    try:
        neurons = named_neurons(model)
    except ValueError as error:
        raise UserError(f'config {args.config!r}: {error}') from error
    for name, neuron in neurons:
        print(f'{name}  {type(neuron).__name__}')


def capture(args: argparse.Namespace, model: 'nn.Module', batches: 'Batches') -> 'Seen':
    """Run the model and return what it did for each image.

    Raises:
        ValueError: If there are no such layers or neurons, or the model does not run.
    """
    import torch

    from mmsnn.analysis.attention import AttentionCapture, has_attention
    from mmsnn.analysis.capture import SpikeCapture
    from mmsnn.analysis.network import named_neurons

    names = [name for name, _ in named_neurons(model)]
    layers = args.layer or [names[0], names[-1]]
    traces = args.neuron or args.traces
    attentive = has_attention(model)
    runs: Any = model  # of which nn.Module's annotations hide test_step
    seen: Seen = []
    for batch in batches:
        images = range(len(batch['inputs']))
        spikes = [SpikeCapture(model, layers, i, traces) for i in images]
        weights = [AttentionCapture(model, i) for i in images if attentive]
        with ExitStack() as stack, torch.no_grad():
            for collector in (*spikes, *weights):
                stack.enter_context(collector)
            runs.test_step(batch)
        seen += [
            (one.result(), weights[i].result() if attentive else None)
            for i, one in enumerate(spikes)
        ]
    return seen


def tables(seen: 'Seen') -> list['Table']:
    """Return a table of the layers and, if there is attention, one of its weights."""
    from mmsnn.analysis.report import Column, Table

    layers = Table(
        'Layers of neurons',
        (
            Column('image'),
            Column('layer'),
            Column('neurons'),
            Column('firing rate', format='.4f', bar=True),
            Column('silent', format='.1%'),
            Column('firing rate at each step'),
        ),
        tuple(
            (
                number,
                layer.name,
                ' x '.join(map(str, layer.spikes.shape[1:])),
                layer.firing_rate,
                float((~layer.spikes.any(0)).mean()),
                ' '.join(f'{rate:.3f}' for rate in layer.firing_rate_per_step),
            )
            for number, (spikes, _) in enumerate(seen, 1)
            for layer in spikes.layers
        ),
        ('silent: neurons that never fire',),
    )
    weights = tuple(
        (
            number,
            decoder.name,
            ' '.join(f'{weight:.3f}' for weight in decoder.temporal),
            decoder.channel.mean(),
            f'{decoder.channel.min():.3f} - {decoder.channel.max():.3f}',
            decoder.spatial.mean(),
            f'{decoder.spatial.min():.3f} - {decoder.spatial.max():.3f}',
        )
        for number, (_, attention) in enumerate(seen, 1)
        if attention is not None
        for decoder in attention.decoders
    )
    if not weights:
        return [layers]
    columns = (
        Column('image'),
        Column('decoder'),
        Column('weight of each step'),
        Column('channels', 'mean', '.3f'),
        Column('channels', 'range'),
        Column('places', 'mean', '.3f'),
        Column('places', 'range'),
    )
    return [layers, Table('Attention spike decoders', columns, weights)]


def to_data(
    spikes: 'ImageSpikes', attention: 'ImageAttention | None'
) -> dict[str, Any]:
    """Return what is saved of an image: all but the spikes and the image itself."""
    layers = [
        dict(
            name=layer.name,
            shape=layer.spikes.shape[1:],
            firing_rate=layer.firing_rate,
            firing_rate_per_step=layer.firing_rate_per_step,
            traces=layer.traces,
        )
        for layer in spikes.layers
    ]
    if attention is None:
        return dict(layers=layers)
    return dict(layers=layers, decoders=attention.decoders, gates=attention.gates)


if __name__ == '__main__':
    _analysis.run(main)
