"""Pictures and tables of spikes, membrane potentials and attention weights."""

from typing import Any

from mmsnn.analysis.recorders.attention_recorder import ImageAttention
from mmsnn.analysis.recorders.spike_recorder import ImageSpikes, LayerSpikes

from .attention_pictures import (
    draw_channel_attention,
    draw_gate,
    draw_spatial_attention,
    draw_temporal_attention,
)
from .report import Column, Picture, Table
from .spike_pictures import draw_firing_maps, draw_potentials, draw_raster

Seen = list[tuple[ImageSpikes, ImageAttention | None]]
"""Recorded spikes and attention weights of each image."""


def draw_layer(
    layer: LayerSpikes, spikes: ImageSpikes, preprocessor: Any, prefix: str
) -> list[Picture]:
    """Return the pictures of a layer of neurons."""
    stem = f'{prefix}{layer.name}'
    found = [
        Picture(
            f'{stem}_raster',
            f'Spikes of {layer.name}',
            draw_raster(layer),
            'Dark: spikes of evenly spaced neurons of the layer. Below: firing rate of '
            'all neurons at each time step and, dashed, over all of them. Right: '
            'histogram of the spike counts of all neurons.',
        ),
        Picture(
            f'{stem}_potentials',
            f'Membrane potentials of {layer.name}',
            draw_potentials(layer),
            'Dots: before the reset. Open circles: after the reset. Dashed: threshold. '
            'Ticks at the top: spikes.',
        ),
    ]
    if layer.spikes.ndim == 4:
        found.append(
            Picture(
                f'{stem}_maps',
                f'Firing rates of {layer.name}',
                draw_firing_maps(layer, spikes.image, preprocessor),
                'Left: the image, and the mean over all channels on top of it. Right: '
                'the channels with the highest rates, with their indices.',
            )
        )
    return found


def draw_attention(
    attention: ImageAttention, preprocessor: Any, prefix: str
) -> list[Picture]:
    """Return the pictures of the attention weights."""
    found = []
    decoders = attention.decoders
    if decoders:
        size = 'In brackets: channels × height × width of the features.'
        found = [
            Picture(
                f'{prefix}attention_temporal',
                'Temporal attention of the spike decoders',
                draw_temporal_attention(decoders),
                size,
            ),
            Picture(
                f'{prefix}attention_channel',
                'Channel attention of the spike decoders',
                draw_channel_attention(decoders),
                'Above: sorted from the largest to the smallest weight. Below: in the '
                'order of the channels.',
            ),
            Picture(
                f'{prefix}attention_spatial',
                'Spatial attention of the spike decoders',
                draw_spatial_attention(decoders, attention.image, preprocessor),
                'All levels on one colour scale, over the image in grey.',
            ),
        ]
    for gate in attention.gates:
        found.append(
            Picture(
                f'{prefix}{gate.name}_gate',
                f'Gated attention of {gate.name}',
                draw_gate(gate),
                'Left: scores of the temporal attention. Right: the gate over channels '
                'and positions: median, mean (dot), quartiles, 5 % and 95 % quantiles.',
            )
        )
    return found


def tables(seen: Seen) -> list[Table]:
    """Return a table of the layers and, if there is attention, of its weights."""
    layers = Table(
        'Layers of neurons',
        (
            Column('image'),
            Column('layer'),
            Column('neurons'),
            Column('firing rate', format='.4f', bar=True),
            Column('silent', format='.1%'),
            Column('firing rate at each time step'),
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
        Column('weight of each time step'),
        Column('channels', 'mean', '.3f'),
        Column('channels', 'range'),
        Column('positions', 'mean', '.3f'),
        Column('positions', 'range'),
    )
    return [layers, Table('Attention spike decoders', columns, weights)]


def to_data(spikes: ImageSpikes, attention: ImageAttention | None) -> dict[str, Any]:
    """Return the data that is saved per image, without the spikes and the image."""
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
