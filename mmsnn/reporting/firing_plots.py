"""Plots of firing rates."""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmsnn.analysis.firing.block_firing import BlockFiring
from mmsnn.analysis.firing.firing_rates import Firing, NeuronFiring

from .report import COLORS, Picture, plot_style

ROW = 0.24
"""Height of a layer in the plots in inches."""


def short_name(name: str) -> str:
    """Return a layer's name without the common prefix and suffix."""
    return name.removeprefix('backbone.').removesuffix('.neuron')


def draw(firing: Firing) -> list[Picture]:
    """Return the plots of the firing rates."""
    with plot_style():
        pictures = [
            Picture(
                'layers',
                'Firing rate of each layer of neurons',
                draw_layers(firing),
                'Spikes per neuron per time step, from the first layer (top) to the '
                'last. The dashed line is the rate of all neurons; the thin line on '
                'each bar spans the rates of the individual images.',
            ),
            Picture(
                'steps',
                'Firing rate of each layer at each time step',
                _draw_steps(firing.neurons),
                'Spikes per neuron, from the first layer (top) to the last.',
            ),
        ]
        if has_spikes(firing.blocks):
            pictures.append(
                Picture(
                    'blocks',
                    'Firing rates of residual blocks',
                    _draw_blocks(firing.blocks),
                    "The last neurons of each block, A, and the block's output, O, as "
                    'in Figs. 4, 5 and 11 of the SEW paper. Triangles are blocks whose '
                    'shortcut is a projection. If blocks add spikes, O is a mean value '
                    'and may exceed 1.',
                )
            )
    return pictures


def has_spikes(blocks: Sequence[BlockFiring]) -> bool:
    """Return whether any block has firing rates, that is, returns spikes."""
    return any(
        block.last_firing_rate is not None or block.output_mean is not None
        for block in blocks
    )


def _make_rows(neurons: Sequence[NeuronFiring], width: float) -> tuple:
    figure = Figure(figsize=(width, 1.1 + ROW * len(neurons)))
    axes = figure.subplots()
    axes.set_yticks(range(len(neurons)), [short_name(n.name) for n in neurons])
    axes.tick_params(axis='y', labelsize='small', length=0)
    axes.set_ylim(len(neurons) - 0.5, -0.5)
    axes.grid(False, axis='y')
    return figure, axes


@plot_style()
def draw_layers(firing: Firing) -> Figure:
    """Draw the firing rate of each layer of neurons."""
    neurons = firing.neurons
    figure, axes = _make_rows(neurons, 7.5)
    parts = list(dict.fromkeys(n.part for n in neurons))
    for color, part in zip(COLORS * len(parts), parts, strict=False):
        rows = [i for i, n in enumerate(neurons) if n.part == part]
        rates = [neurons[i].firing_rate for i in rows]
        axes.barh(rows, rates, height=0.7, color=color, label=part)
    for i, n in enumerate(neurons):
        rates = [rate for rate in n.image_firing_rates if rate == rate]
        axes.plot([min(rates), max(rates)], [i, i], color='#222831', linewidth=1)
    axes.axvline(firing.firing_rate, color='#222831', linestyle='--', linewidth=1)
    axes.set_xlim(left=0)
    axes.set_xlabel('firing rate [spikes per neuron per time step]')
    if len(parts) > 1:
        figure.legend(loc='outside upper right', ncols=len(parts), fontsize='small')
    return figure


def _draw_steps(neurons: Sequence[NeuronFiring]) -> Figure:
    steps = max(len(n.step_firing_rates) for n in neurons)
    rates = np.full((len(neurons), steps), np.nan)
    for row, n in zip(rates, neurons, strict=True):
        row[: len(n.step_firing_rates)] = n.step_firing_rates
    figure, axes = _make_rows(neurons, 3.4 + 0.5 * max(steps, 4))
    top = max(float(np.nanmax(rates)), 1e-9)
    image = axes.imshow(rates, aspect='auto', vmin=0, vmax=top)
    axes.set_xticks(range(steps), [str(t + 1) for t in range(steps)])
    axes.set_xlabel('time step')
    axes.grid(False)
    axes.spines[:].set_visible(False)
    figure.colorbar(image, label='firing rate [spikes per neuron]', pad=0.02)
    if rates.size <= 400:
        for (i, t), rate in np.ndenumerate(rates):
            if rate == rate:
                color = 'black' if rate > 0.6 * top else 'white'
                text = f'{rate:.2f}'
                axes.text(t, i, text, ha='center', va='center', color=color, size=7)
    return figure


def _draw_blocks(blocks: Sequence[BlockFiring]) -> Figure:
    figure = Figure(figsize=(9, 3.6))
    left, right = figure.subplots(1, 2)
    left.set_title('(a) last spiking neurons $A^l$')
    _draw_curve(left, blocks, lambda b: b.last_firing_rate, 'measured', '-')
    left.set_ylabel('firing rate')
    right.set_title('(b) output $O^l$')
    _draw_curve(right, blocks, lambda b: b.output_mean, 'measured', '-')
    _draw_curve(
        right, blocks, lambda b: b.expected_mean, 'of independent inputs', '--', 1
    )
    _draw_curve(right, blocks, lambda b: b.sum_mean, 'sum over the stage', ':', 2)
    sums = any(b.output_values != 'binary' or b.sum_mean is not None for b in blocks)
    right.set_ylabel('firing rate (mean value)' if sums else 'firing rate')
    for axes in (left, right):
        axes.set_xlabel('block index $l$')
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_ylim(0, 1.08 * max(axes.get_ylim()[1], 1e-3))
    if len(right.get_lines()) > 1:
        right.legend(fontsize='small')
    return figure


def _draw_curve(
    axes: Axes,
    blocks: Sequence[BlockFiring],
    value: Callable[[BlockFiring], float | None],
    label: str,
    style: str,
    color: int = 0,
) -> None:
    """Draw a number of each block as a curve, with gaps for blocks without it."""
    values = [value(block) for block in blocks]
    if all(y is None for y in values):
        return
    drawn = [float('nan') if y is None else y for y in values]
    axes.plot(drawn, style, color=COLORS[color], linewidth=1.3, label=label)
    if color:
        return
    for marker, down in (('v', True), ('o', False)):
        chosen = [i for i, block in enumerate(blocks) if block.downsamples == down]
        axes.plot(
            chosen,
            [drawn[i] for i in chosen],
            marker,
            color=COLORS[color],
            markersize=7 if down else 4,
        )
