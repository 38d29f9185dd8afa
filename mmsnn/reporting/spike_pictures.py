"""Pictures of a layer's spikes for one image."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mmsnn.analysis.recorders.one_image import InputImage
from mmsnn.analysis.recorders.spike_recorder import LayerSpikes, PotentialTrace
from mmsnn.utils import check_positive_int

from .image_overlay import restore_image, show_image, show_map
from .plot_style import COLORS, plot_style

_BAR, _SPIKE, *_, _QUIET = COLORS
RATE_COLORS = 'magma'


def draw_raster(layer: LayerSpikes, max_neurons: int = 192) -> Figure:
    """Draw a raster plot of the spikes of a layer.

    The upper plot shows the spikes of evenly spaced neurons of the layer, the lower
    plot the firing rate of all neurons at each time step, and the right plot a
    histogram of the spike counts of all neurons.

    Args:
        layer: The layer's spikes.
        max_neurons: Maximum number of neurons to draw.

    Raises:
        TypeError: If ``max_neurons`` is not an integer.
        ValueError: If ``max_neurons`` is less than 1.
    """
    check_positive_int('max_neurons', max_neurons)
    spikes = layer.spikes.reshape(len(layer.spikes), -1)
    num_steps, total = spikes.shape
    rows = np.linspace(0, total - 1, min(total, max_neurons)).round().astype(int)
    steps = np.arange(1, num_steps + 1)
    with plot_style():
        figure = Figure(figsize=(6.4, 4.4), layout='constrained')
        grid = figure.add_gridspec(
            2, 2, width_ratios=(2.4, 1), height_ratios=(3.4, 1), wspace=0.08
        )
        raster = figure.add_subplot(grid[0, 0])
        raster.imshow(
            spikes[:, rows].T,
            cmap='Greys',
            vmin=0,
            vmax=1.15 * max(1, spikes.max()),
            aspect='auto',
            interpolation='nearest',
            extent=(0.5, num_steps + 0.5, len(rows), 0),
        )
        for edge in steps[:-1] + 0.5:
            raster.axvline(edge, color='white', linewidth=1.5)
        raster.set(ylabel=_neuron_label(layer, len(rows), total))
        _label_channels(raster, layer, rows)
        raster.tick_params(labelbottom=False)
        raster.set_title('spikes', fontsize='medium')
        figure.suptitle(layer.name)
        raster.grid(False)

        rates = figure.add_subplot(grid[1, 0], sharex=raster)
        rates.bar(steps, layer.firing_rate_per_step, width=0.7, color=_BAR)
        rates.axhline(layer.firing_rate, color=_SPIKE, linestyle='--', linewidth=1)
        highest = max(layer.firing_rate_per_step) or 1.0
        rates.set(xlabel='time step', ylabel='firing rate', ylim=(0, 1.1 * highest))
        rates.xaxis.set_major_locator(MaxNLocator(integer=True))

        counts = figure.add_subplot(grid[:, 1])
        _draw_counts(counts, spikes.sum(0), num_steps * max(1, int(spikes.max())))
    return figure


def _neuron_label(layer: LayerSpikes, shown: int, total: int) -> str:
    kind = 'channel' if layer.spikes.ndim > 2 else 'neuron'
    return f'{kind}  ({shown:,} of {total:,} neurons)'


def _label_channels(axes: Axes, layer: LayerSpikes, rows: np.ndarray) -> None:
    """Label the first row of a few channels with the channel's number."""
    channels = rows // int(np.prod(layer.spikes.shape[2:], initial=1))
    marks = np.linspace(0, channels[-1], 6).round().astype(int)
    places = np.searchsorted(channels, np.unique(marks))
    axes.set_yticks(places + 0.5, [str(channels[place]) for place in places])


def _draw_counts(axes: Axes, counts: np.ndarray, num_steps: int) -> None:
    share = 100 * np.bincount(counts, minlength=num_steps + 1) / counts.size
    numbers = np.arange(num_steps + 1)
    colors = [_QUIET if number == 0 else _BAR for number in numbers]
    axes.barh(numbers, share, height=0.7, color=colors)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel='neurons (%)', ylabel='spikes of a neuron')
    axes.set_title('all neurons', fontsize='medium')


def draw_potentials(layer: LayerSpikes, columns: int = 2) -> Figure:
    """Draw the membrane potentials of the layer's traced neurons.

    Dots are the potentials before the reset, which are compared with the threshold;
    open circles are the potentials after the reset. The dashed line is the threshold,
    and ticks above it are spikes.

    Args:
        layer: The layer, with traces.
        columns: Number of neurons to draw side by side.

    Raises:
        TypeError: If ``columns`` is not an integer.
        ValueError: If the layer has no traces, or ``columns`` is less than 1.
    """
    check_positive_int('columns', columns)
    if not layer.traces:
        raise ValueError(f'{layer.name!r} has no traces to draw')
    columns = min(columns, len(layer.traces))
    rows = -(-len(layer.traces) // columns)
    with plot_style():
        figure = Figure(figsize=(3.6 * columns, 1.5 * rows + 0.7), layout='constrained')
        axes = figure.subplots(rows, columns, sharex=True, squeeze=False)
        for one, trace in zip(axes.flat, layer.traces, strict=False):
            _draw_trace(one, trace)
        for unused in axes.flat[len(layer.traces) :]:
            unused.set_visible(False)
        for i in range(columns):
            last = (len(layer.traces) - 1 - i) // columns
            axes[last, i].set_xlabel('time step')
            axes[last, i].tick_params(labelbottom=True)
        figure.supylabel('membrane potential', fontsize='medium')
        figure.suptitle(layer.name)
    return figure


def _draw_trace(axes: Axes, trace: PotentialTrace) -> None:
    steps = np.arange(1, len(trace.potentials) + 1)
    before, after = np.array(trace.potentials), np.array(trace.potentials_after)
    fired = np.array(trace.fired, dtype=bool)
    line_x = np.concatenate([[0], np.repeat(steps, 2)])
    line_y = np.concatenate([[trace.rest], np.stack([before, after], 1).ravel()])
    axes.axhline(trace.v_threshold, color=_QUIET, linestyle='--', linewidth=1)
    axes.plot(line_x, line_y, color=_BAR, linewidth=1.2)
    axes.plot(steps, before, 'o', color=_BAR, markersize=3.5)
    axes.plot(
        steps[fired], after[fired], 'o', color=_BAR, markersize=3.5, markerfacecolor='w'
    )
    low = min(line_y.min(), trace.rest)
    high = max(line_y.max(), trace.v_threshold)
    room = 0.12 * (high - low)
    axes.vlines(
        steps[fired], high + 0.8 * room, high + 2.2 * room, color=_SPIKE, linewidth=2
    )
    axes.set(xlim=(-0.15, len(steps) + 0.25), ylim=(low - room, high + 2.8 * room))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    spikes = f'{fired.sum()} of {len(steps)} steps'
    axes.set_title(f'{_describe_neuron(trace.neuron)}: fires at {spikes}', fontsize=8)


def _describe_neuron(neuron: tuple[int, ...]) -> str:
    if len(neuron) == 3:
        channel, row, column = neuron
        return f'channel {channel}, row {row}, column {column}'
    return f'neuron {", ".join(map(str, neuron))}'


def draw_firing_maps(
    layer: LayerSpikes,
    image: InputImage,
    preprocessor: Mapping[str, Any] | None = None,
    num_channels: int = 16,
) -> Figure:
    """Draw the firing rates of a layer as maps over the image.

    The left column shows the image and, over it, the mean over all channels. The right
    side shows the channels with the highest firing rates, in descending order. Rates
    are spikes per time step; the mean has a separate colour scale.

    Args:
        layer: The spikes of a layer after a convolution.
        image: The network's input.
        preprocessor: See :func:`restore_image`.
        num_channels: Maximum number of channels to draw.

    Raises:
        TypeError: If ``num_channels`` is not an integer.
        ValueError: If the spikes are not feature maps, ``num_channels`` is less than 1,
            or the image cannot be drawn.
    """
    check_positive_int('num_channels', num_channels)
    _check_maps(layer)
    maps = layer.firing_rates
    # integer neurons fire up to D spikes per time step
    highest = max(1.0, float(maps.max()))
    pixels = restore_image(image, preprocessor)
    busiest = np.argsort(-maps.mean((1, 2)), kind='stable')[:num_channels]
    side = int(np.ceil(np.sqrt(len(busiest))))
    rows = -(-len(busiest) // side)
    with plot_style():
        figure = Figure(figsize=(7.2, 4.6), layout='constrained')
        left, right = figure.subfigures(1, 2, width_ratios=(1, 1.9), squeeze=False)[0]
        picture, mean = left.subplots(2, 1)
        show_image(picture, image, pixels)
        picture.set_title('input', fontsize='medium')
        average = maps.mean(0)
        limits = (0.0, float(average.max()) or 1.0)
        drawn = show_map(mean, average, image, limits, RATE_COLORS, pixels)
        mean.set_title(f'mean of {len(maps)} channels', fontsize='medium')
        left.colorbar(drawn, ax=mean, shrink=0.85, label='firing rate')
        axes = right.subplots(rows, side, squeeze=False)
        for one in axes.flat:
            one.set_axis_off()
        for one, channel in zip(axes.flat, busiest, strict=False):
            drawn = show_map(one, maps[channel], image, (0.0, highest), RATE_COLORS)
            one.set_title(f'{channel}', fontsize=7, pad=2)
        right.colorbar(drawn, ax=axes, shrink=0.85, label='firing rate')
        right.suptitle('most active channels', fontsize='medium')
        figure.suptitle(layer.name)
    return figure


def draw_step_map(
    layer: LayerSpikes,
    image: InputImage,
    step: int,
    preprocessor: Mapping[str, Any] | None = None,
) -> Figure:
    """Draw the spikes of a layer at one time step as a map over the image.

    The map is the mean over all channels. All time steps have the same colour scale.

    Args:
        layer: The spikes of a layer after a convolution.
        image: The network's input.
        step: The time step, from 1 to T.
        preprocessor: See :func:`restore_image`.

    Raises:
        ValueError: If the spikes are not feature maps, there is no such time step, or
            the image cannot be drawn.
    """
    _check_maps(layer)
    num_steps = len(layer.spikes)
    if not 1 <= step <= num_steps:
        raise ValueError(f'step must be from 1 to {num_steps}, but got {step}')
    maps = layer.spikes.mean(1)
    pixels = restore_image(image, preprocessor)
    with plot_style():
        figure = Figure(figsize=(4.6, 4.0), layout='constrained')
        axes = figure.add_subplot()
        limits = (0.0, float(maps.max()) or 1.0)
        drawn = show_map(axes, maps[step - 1], image, limits, RATE_COLORS, pixels)
        figure.colorbar(drawn, ax=axes, shrink=0.85, label='spikes per neuron')
        rate = layer.firing_rate_per_step[step - 1]
        axes.set_title(f't = {step} of {num_steps}: {rate:.3f} on average')
    return figure


def _check_maps(layer: LayerSpikes) -> None:
    if layer.spikes.ndim != 4:
        raise ValueError(
            f'maps need spikes of shape [T, C, H, W], but {layer.name!r} has '
            f'{list(layer.spikes.shape)}'
        )
