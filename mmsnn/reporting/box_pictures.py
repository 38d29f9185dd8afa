"""Pictures of the boxes that a detector finds in one image."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from mmsnn.analysis.predictions import Detections
from mmsnn.analysis.recorders.one_image import InputImage

from .image_overlay import restore_image, show_image
from .plot_style import COLORS, plot_style

_SIDE = 5.0
"""Longer side of the picture in inches."""


def draw_boxes(
    detections: Detections,
    image: InputImage,
    preprocessor: Mapping[str, Any] | None = None,
    classes: Sequence[str] | None = None,
    min_score: float = 0.5,
) -> Figure:
    """Draw the boxes of an image with their classes and scores.

    Args:
        detections: The boxes.
        image: The network's input.
        preprocessor: See :func:`restore_image`.
        classes: Names of the classes; None writes their labels.
        min_score: Boxes with a lower score are left out.

    Raises:
        ValueError: If the image cannot be drawn.
    """
    pixels = restore_image(image, preprocessor)
    longer = max(image.width, image.height)
    with plot_style():
        size = (_SIDE * image.width / longer, _SIDE * image.height / longer)
        figure = Figure(figsize=size)
        figure.set_layout_engine('none')
        axes = figure.add_axes((0, 0, 1, 1))
        show_image(axes, image, pixels)
        axes.set_axis_off()
        shown = [i for i, score in enumerate(detections.scores) if score >= min_score]
        # the highest score is drawn last, on top
        for i in reversed(shown):
            label = int(detections.labels[i])
            name = str(label) if classes is None else classes[label]
            text = f'{name}  {detections.scores[i]:.2f}'
            color = COLORS[label % len(COLORS)]
            draw_box(axes, detections.input_boxes[i], image, color, text)
    return figure


def draw_box(
    axes: Axes, box: Sequence[float], image: InputImage, color: str, text: str = ''
) -> None:
    """Draw one box ``x1, y1, x2, y2`` with a text at its upper left corner."""
    left, right = (min(max(x, 0), image.width) for x in box[::2])
    top, bottom = (min(max(y, 0), image.height) for y in box[1::2])
    axes.add_patch(
        Rectangle(
            (left, top), right - left, bottom - top, fill=False, color=color, lw=2.2
        )
    )
    if text:
        # above the box if there is room
        room = top > 0.06 * image.height
        axes.text(
            left,
            top,
            text,
            color='white',
            fontsize=9,
            va='bottom' if room else 'top',
            bbox=dict(facecolor=color, edgecolor=color, pad=1.5),
            clip_on=True,
        )
