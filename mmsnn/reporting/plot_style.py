"""Style of all plots."""

from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib
from cycler import cycler

# The Okabe-Ito palette, which is distinguishable with colour vision deficiencies.
COLORS = (
    '#0072b2',
    '#d55e00',
    '#009e73',
    '#cc79a7',
    '#e69f00',
    '#56b4e9',
    '#555b66',
)
DPI = 150
_SETTINGS = {
    'figure.dpi': DPI,
    'figure.facecolor': 'white',
    'figure.constrained_layout.use': True,
    'savefig.facecolor': 'white',
    'savefig.dpi': 'figure',
    'font.size': 10,
    'axes.spines.top': False,
    'axes.spines.right': False,
    'axes.edgecolor': '#8a919e',
    'axes.labelcolor': '#3c434f',
    'axes.grid': True,
    'axes.axisbelow': True,
    'axes.titlesize': 11,
    'axes.titlelocation': 'left',
    'axes.prop_cycle': cycler(color=COLORS),
    'xtick.color': '#3c434f',
    'ytick.color': '#3c434f',
    'grid.color': '#e6e9ee',
    'legend.frameon': False,
    'image.cmap': 'viridis',
}


@contextmanager
def plot_style() -> Iterator[None]:
    """Context manager that applies the plot style to figures created in it.

    Create figures with ``matplotlib.figure.Figure``, which needs no display and is not
    kept in memory by ``pyplot``. Matplotlib's settings are restored on exit.
    """
    with matplotlib.rc_context(_SETTINGS):
        yield


__all__ = ['COLORS', 'DPI', 'plot_style']
