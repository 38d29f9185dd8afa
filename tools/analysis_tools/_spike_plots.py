"""The pictures of spikes.py."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmsnn.analysis.recorders.attention_recorder import ImageAttention
    from mmsnn.analysis.recorders.spike_recorder import ImageSpikes, LayerSpikes
    from mmsnn.reporting.report import Picture


def draw_layer(
    layer: 'LayerSpikes', spikes: 'ImageSpikes', preprocessor: Any, prefix: str
) -> list['Picture']:
    """Return the pictures of a layer of neurons."""
    from mmsnn.reporting import draw_firing_maps, draw_potentials, draw_raster
    from mmsnn.reporting.report import Picture

    stem = f'{prefix}{layer.name}'
    found = [
        Picture(
            f'{stem}_raster',
            f'Spikes of {layer.name}',
            draw_raster(layer),
            'Dark: spikes of neurons at equal distances in the layer. Below: the '
            'firing rate of all neurons at each step and, dashed, over all steps. '
            'Right: how many neurons fire how often.',
        ),
        Picture(
            f'{stem}_potentials',
            f'Membrane potentials of {layer.name}',
            draw_potentials(layer),
            'Dots: before the reset. Open circles: after it. Dashed: the threshold. '
            'Ticks at the top: spikes.',
        ),
    ]
    if layer.spikes.ndim == 4:
        found.append(
            Picture(
                f'{stem}_maps',
                f'Firing rates of {layer.name}',
                draw_firing_maps(layer, spikes.image, preprocessor),
                'Left: the image, and the mean over all channels on it. Right: the '
                'channels that fire most, each over all steps, with their numbers.',
            )
        )
    return found


def draw_attention(
    attention: 'ImageAttention', preprocessor: Any, prefix: str
) -> list['Picture']:
    """Return the pictures of the attention weights."""
    from mmsnn import visualization
    from mmsnn.reporting.report import Picture

    found = []
    decoders = attention.decoders
    if decoders:
        size = 'Of each level: channels × height × width of its features.'
        found = [
            Picture(
                f'{prefix}attention_temporal',
                'Temporal attention of the spike decoders',
                visualization.draw_temporal_attention(decoders),
                size,
            ),
            Picture(
                f'{prefix}attention_channel',
                'Channel attention of the spike decoders',
                visualization.draw_channel_attention(decoders),
                'Above: from the greatest weight to the least. Below: in the order of '
                'the channels.',
            ),
            Picture(
                f'{prefix}attention_spatial',
                'Spatial attention of the spike decoders',
                visualization.draw_spatial_attention(
                    decoders, attention.image, preprocessor
                ),
                'All levels on one scale, over the image in grey.',
            ),
        ]
    for gate in attention.gates:
        found.append(
            Picture(
                f'{prefix}{gate.name}_gate',
                f'Gated attention of {gate.name}',
                visualization.draw_gate(gate),
                'Left: scores of the temporal attention. Right: the gate over channels '
                'and places: median, mean (dot), quartiles, 5 and 95 %.',
            )
        )
    return found
