"""Plots of COCO's error analysis."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from mmsnn.evaluation.coco_errors import AREAS, KINDS, averages

# Average precision of each kind of error, by class and area.
Averages = Mapping[str, Mapping[str, np.ndarray]]


COLORS = ('#ffffff', '#b5c7e3', '#4c72b0', '#c0504d', '#e8a33d', '#8064a2', '#dddddd')


def draw_curves(curves: np.ndarray, title: str) -> Figure:
    """Draw the curves [7, 101, classes, 4 areas], with one panel per area."""
    figure = Figure(figsize=(11, 9))
    recalls = np.linspace(0, 1, curves.shape[1])
    # The constrained layout takes a second per figure, and there may be many classes.
    figure.subplots_adjust(0.06, 0.06, 0.98, 0.92, wspace=0.08, hspace=0.18)
    panels = figure.subplots(2, 2, sharex=True, sharey=True).flat
    for index, (axis, area) in enumerate(zip(panels, AREAS, strict=True)):
        axis.set(title=area, xlim=(0, 1), ylim=(0, 1), xlabel='recall')
        axis.set_ylabel('precision')
        shown = curves[..., index]
        known = shown[:, :, shown[-1, 0] > -1]
        if not known.size:
            axis.text(0.5, 0.5, 'no objects', ha='center', va='center')
            continue
        lower = np.zeros_like(recalls)
        for name, color, curve, average in zip(
            KINDS, COLORS, known.mean(axis=2), averages(shown), strict=True
        ):
            upper = np.maximum(lower, curve)
            label = f'[{average:.3f}] {name}'
            axis.fill_between(
                recalls, lower, upper, fc=color, ec='black', lw=0.6, label=label
            )
            lower = upper
        axis.legend(loc='lower left', fontsize='small', framealpha=0.9, edgecolor='0.6')
    figure.suptitle(title)
    return figure


def draw_bars(table: Averages) -> Figure:
    """Draw the average precisions of each class, for objects of all areas."""
    figure = Figure(figsize=(7, 1.5 + 0.25 * len(table)), layout='constrained')
    axis = figure.subplots()
    lower = np.zeros(len(table))
    values = np.nan_to_num([areas['all'] for areas in table.values()])
    for name, color, value in zip(KINDS, COLORS, values.T, strict=True):
        upper = np.maximum(lower, value)
        axis.barh(
            list(table),
            upper - lower,
            left=lower,
            color=color,
            edgecolor='black',
            linewidth=0.4,
            label=name,
        )
        lower = upper
    axis.invert_yaxis()
    axis.set(xlabel='average precision', xlim=(0, 1))
    figure.legend(loc='outside upper center', ncols=len(KINDS), fontsize='small')
    return figure
