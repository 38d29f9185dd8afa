"""Plots of gradient norms and gradient stability."""

import math
from collections.abc import Sequence
from itertools import groupby

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mmsnn.analysis.gradients.gradient_flow import (
    BlockGradient,
    Gradients,
    LayerGradient,
)
from mmsnn.analysis.gradients.gradient_stability import Stability

from .plot_style import plot_style
from .report import Picture


def flag(norm: float | None) -> str:
    """Return a label for a missing, non-finite or zero gradient, otherwise ''."""
    if norm is None:
        return 'none'
    if not math.isfinite(norm):
        return 'NOT FINITE'
    return '' if norm else 'ZERO'


def draw_norms(
    axes: Axes,
    rows: Sequence[BlockGradient | LayerGradient],
    groups: list[str],
    line: str,
) -> None:
    """Draw norms on a log scale; zero and non-finite norms at its ends."""
    norms = [row.norm for row in rows]
    good = {i: norm for i, norm in enumerate(norms) if norm and not flag(norm)}
    axes.set_yscale('log')
    start = 0
    for shade, (name, run) in enumerate(groupby(groups)):
        end = start + len(list(run))
        if shade % 2:
            axes.axvspan(start - 0.5, end - 0.5, color='#f1f3f6', zorder=0)
        axes.annotate(
            name, ((start + end - 1) / 2, 1.01), xycoords=('data', 'axes fraction'),
            ha='center', fontsize=8,
        )  # fmt: skip
        inside = [i for i in good if start <= i < end]
        axes.plot(inside, [good[i] for i in inside], line, color='C0', ms=4)
        start = end
    low, high = axes.get_ylim()
    if good and high < 10 * low:  # at least a decade, not to exaggerate small changes
        middle = math.sqrt(low * high)
        axes.set_ylim(middle / 10**0.5, middle * 10**0.5)
    for kind, height, marker in (('ZERO', 0.02, 'v'), ('NOT FINITE', 0.98, '^')):
        bad = [i for i, norm in enumerate(norms) if flag(norm) == kind]
        if bad:
            axes.plot(
                bad, [height] * len(bad), marker, color='C1', label=kind.lower(),
                transform=axes.get_xaxis_transform(), clip_on=False,
            )  # fmt: skip
            axes.legend()
    axes.set_xlim(-0.5, len(rows) - 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylabel('L2 norm of the gradient')


def draw_stability(axes: Axes, stability: Stability) -> None:
    """Draw the amplitude of each layer, and its range over the time steps."""
    for main, color, marker, label in (
        (True, 'C0', 'o', 'on the main path'),
        (False, 'C4', 's', 'in shortcuts and side exits'),
    ):
        part = [
            (i, n) for i, n in enumerate(stability.neurons) if n.on_main_path is main
        ]
        if part:
            x = [i for i, _ in part]
            axes.vlines(
                x, [min(n.step_amplitudes) for _, n in part],
                [max(n.step_amplitudes) for _, n in part], color=color, alpha=0.4, lw=3,
            )  # fmt: skip
            axes.plot(
                x,
                [n.amplitude for _, n in part],
                marker,
                color=color,
                ms=4,
                label=label,
            )
    axes.set_ylim(0, 1.2 * axes.get_ylim()[1])  # room for the legend
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel('layer of neurons, starting at the image')
    axes.set_ylabel("mean dO/dV = surrogate'(h - v_th)")
    axes.legend(ncols=2)


def draw(gradients: Gradients, stability: Stability) -> list[Picture]:
    """Return the plots."""
    pictures = []
    with plot_style():
        figure = Figure(figsize=(8, 4))
        axes = figure.add_subplot()
        draw_norms(
            axes, gradients.blocks, [block.stage for block in gradients.blocks], '-o'
        )
        axes.set_xlabel('block, starting at the image')
        title = 'Gradient of the loss with respect to the output of each block'
        pictures.append(Picture('gradient_norms', title, figure))
        figure = Figure(figsize=(8, 4))
        draw_stability(figure.add_subplot(), stability)
        caption = 'Dots: means over all time steps; bars: range over the time steps.'
        title = 'Gradient stability, layer by layer'
        pictures.append(Picture('gradient_stability', title, figure, caption))
        if gradients.layers:
            figure = Figure(figsize=(8, 4))
            axes = figure.add_subplot()
            parts = [layer.name.partition('.')[0] for layer in gradients.layers]
            draw_norms(axes, gradients.layers, parts, 'o')
            axes.set_xlabel('layer with parameters')
            title = "Gradient of the loss with respect to each layer's parameters"
            pictures.append(Picture('weight_gradients', title, figure))
    return pictures
