"""Plot of a confusion matrix."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

# Maximum numbers of classes for which numbers and names are drawn.
MOST_NUMBERS = 25
MOST_NAMES = 100


def draw(matrix: np.ndarray, names: Sequence[str], color_theme: str) -> Figure:
    """Draw the confusion matrix in percent of each row."""
    share = 100 * matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    number = len(names)
    side = min(max(5, 1.5 + 0.45 * number), 24)
    figure = Figure(figsize=(side, side), layout='constrained')
    axis = figure.subplots()
    picture = axis.imshow(share, cmap=color_theme, vmin=0, vmax=100)
    figure.colorbar(picture, label='% of the true class', shrink=0.7)
    axis.set(xlabel='predicted', ylabel='true')
    if number <= MOST_NAMES:
        axis.set_xticks(range(number), names, rotation=90)
        axis.set_yticks(range(number), names)
    if number <= MOST_NUMBERS:
        for true, predicted in np.argwhere(matrix):
            value = share[true, predicted]
            red, green, blue, _ = picture.cmap(value / 100)
            dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
            axis.text(
                predicted,
                true,
                f'{value:.0f}',
                ha='center',
                va='center',
                fontsize='small',
                color='white' if dark else 'black',
            )
    return figure
