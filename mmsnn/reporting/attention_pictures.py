"""Pictures of attention weights for one image."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mmsnn.analysis.recorders.attention_recorder import DecoderAttention, GateAttention
from mmsnn.analysis.recorders.one_image import InputImage

from .image_overlay import restore_image, show_image, show_map
from .plot_style import COLORS, plot_style

_BAR = COLORS[0]
_WEIGHT_COLORS = 'viridis'


def _check_levels(decoders: Sequence[DecoderAttention]) -> None:
    if not decoders:
        raise ValueError('there is no attention spike decoder to draw')


def _describe(decoder: DecoderAttention, number: int) -> str:
    rows, columns = decoder.spatial.shape
    return f'level {number} ({len(decoder.channel)} × {rows} × {columns})'


def _label_steps(axes: Axes) -> None:
    axes.set_xlabel('time step')
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def draw_temporal_attention(decoders: Sequence[DecoderAttention]) -> Figure:
    """Draw the temporal attention of attention spike decoders, one bar per time step.

    Args:
        decoders: One entry per feature level.

    Raises:
        ValueError: If there are no decoders.
    """
    _check_levels(decoders)
    with plot_style():
        size = (max(3.2, 1.9 * len(decoders) + 0.4), 2.3)
        figure = Figure(figsize=size, layout='constrained')
        axes = figure.subplots(1, len(decoders), sharey=True, squeeze=False)[0]
        for i, (one, decoder) in enumerate(zip(axes, decoders, strict=True)):
            weights = decoder.temporal
            one.bar(np.arange(1, len(weights) + 1), weights, width=0.7, color=_BAR)
            one.set_title(_describe(decoder, i + 1), fontsize=9)
            one.set_ylim(0, 1)
            _label_steps(one)
        axes[0].set_ylabel('temporal weight')
    return figure


def draw_channel_attention(decoders: Sequence[DecoderAttention]) -> Figure:
    """Draw the channel attention of attention spike decoders.

    The upper plot shows the sorted weights, from the largest to the smallest; the lower
    one shows them as colours in the order of the channels.

    Args:
        decoders: One entry per feature level.

    Raises:
        ValueError: If there are no decoders.
    """
    _check_levels(decoders)
    with plot_style():
        size = (max(3.4, 1.9 * len(decoders) + 0.6), 2.7)
        figure = Figure(figsize=size, layout='constrained')
        axes = figure.subplots(
            2, len(decoders), sharey='row', squeeze=False, height_ratios=(5, 1)
        )
        for i, decoder in enumerate(decoders):
            bars, strip = axes[:, i]
            weights = decoder.channel
            ordered = np.sort(weights)[::-1]
            bars.stairs(ordered, fill=True, color=_BAR)
            bars.set(xlim=(0, len(weights)), ylim=(0, 1), xlabel='rank')
            bars.set_title(_describe(decoder, i + 1), fontsize=9)
            drawn = strip.imshow(
                weights[None],
                aspect='auto',
                cmap=_WEIGHT_COLORS,
                vmin=0,
                vmax=1,
                interpolation='nearest',
                extent=(0, len(weights), 1, 0),
            )
            strip.set(yticks=[], xlabel='channel')
            strip.grid(False)
        axes[0, 0].set_ylabel('channel weight')
        figure.colorbar(drawn, ax=axes[1, :], label='weight', aspect=4, pad=0.01)
    return figure


def draw_spatial_attention(
    decoders: Sequence[DecoderAttention],
    image: InputImage,
    preprocessor: Mapping[str, Any] | None = None,
) -> Figure:
    """Draw the spatial attention of attention spike decoders over the image.

    All levels share one colour scale, from their smallest to their largest weight.

    Args:
        decoders: One entry per feature level.
        image: The network's input.
        preprocessor: See :func:`restore_image`.

    Raises:
        ValueError: If there are no decoders, or the image cannot be drawn.
    """
    _check_levels(decoders)
    pixels = restore_image(image, preprocessor)
    low = min(float(decoder.spatial.min()) for decoder in decoders)
    high = max(float(decoder.spatial.max()) for decoder in decoders)
    limits = (low, high)
    with plot_style():
        size = (1.9 * (len(decoders) + 1) + 0.8, 2.3)
        figure = Figure(figsize=size, layout='constrained')
        picture, *axes = figure.subplots(1, len(decoders) + 1)
        show_image(picture, image, pixels)
        picture.set_title('input', fontsize=9)
        for i, (one, decoder) in enumerate(zip(axes, decoders, strict=True)):
            drawn = show_map(
                one, decoder.spatial, image, limits, _WEIGHT_COLORS, pixels
            )
            one.set_title(_describe(decoder, i + 1), fontsize=9)
        figure.colorbar(drawn, ax=axes, shrink=0.8, pad=0.01, label='spatial weight')
    return figure


def draw_gate(gate: GateAttention) -> Figure:
    """Draw the temporal attention of a gated attention stem.

    The left plot shows the scores of the time steps. The right plot shows the gate over
    channels and positions: median, mean (dot), quartiles, 5 % and 95 % quantiles.

    Args:
        gate: The recorded attention of the stem.
    """
    steps = np.arange(1, len(gate.temporal) + 1)
    with plot_style():
        figure = Figure(figsize=(5.2, 2.3), layout='constrained')
        scores, gates = figure.subplots(1, 2)
        scores.bar(steps, gate.temporal, width=0.7, color=_BAR)
        scores.axhline(0, color='black', linewidth=0.8)
        scores.set_ylabel('temporal score')
        _draw_boxes(gates, gate)
        gates.set_ylim(0, 1)
        gates.set_ylabel('gate')
        for one in (scores, gates):
            _label_steps(one)
        figure.suptitle(gate.name)
    return figure


def _draw_boxes(axes: Axes, gate: GateAttention) -> None:
    keys = ('whislo', 'q1', 'med', 'q3', 'whishi')
    boxes = [
        dict(zip(keys, quantiles, strict=True), mean=mean)
        for quantiles, mean in zip(gate.gate_quantiles, gate.gate_mean, strict=True)
    ]
    axes.bxp(
        boxes,
        widths=0.6,
        showfliers=False,
        showmeans=True,
        patch_artist=True,
        boxprops=dict(facecolor=COLORS[5], edgecolor=_BAR),
        medianprops=dict(color=_BAR, linewidth=2),
        meanprops=dict(
            marker='o', markersize=4, markerfacecolor='w', markeredgecolor=_BAR
        ),
        manage_ticks=False,
    )
