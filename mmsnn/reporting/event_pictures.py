"""Pictures of the frames of an event recording."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from mmsnn.analysis.predictions import Detections
from mmsnn.analysis.recorders.one_image import InputImage

from .box_pictures import draw_box
from .image_overlay import draw_events, show_image, sum_bins
from .plot_style import COLORS, plot_style

_COLUMNS = 4


def draw_event_frames(
    image: InputImage, detections: Detections | None = None, min_score: float = 0.5
) -> Figure:
    """Draw the frames of a recording, with the boxes if there are any.

    ON events are red and OFF events blue, on one scale for all frames.

    Args:
        image: The network's input, frames ``[T, 2 * num_bins, H, W]``.
        detections: Boxes that are drawn in each frame.
        min_score: Boxes with a lower score are left out.

    Raises:
        ValueError: If the input has no frames of events.
    """
    shape = image.values.shape
    if len(shape) != 4 or shape[1] % 2:
        raise ValueError(
            'frames of events have shape [T, 2 * num_bins, H, W], but the input has '
            f'{list(shape)}'
        )
    frames = image.values[..., : image.height, : image.width]
    pictures = draw_events(sum_bins(frames))
    columns = min(_COLUMNS, len(pictures))
    rows = -(-len(pictures) // columns)
    with plot_style():
        height = 2.1 * image.height / image.width + 0.3
        figure = Figure(figsize=(2.1 * columns, height * rows), layout='constrained')
        axes = figure.subplots(rows, columns, squeeze=False)
        for one in axes.flat:
            one.set_axis_off()
        for t, (one, pixels) in enumerate(zip(axes.flat, pictures, strict=False), 1):
            show_image(one, image, pixels)
            one.set_title(f't = {t}', fontsize=9)
            for box, label in _shown(detections, min_score):
                draw_box(one, box, image, COLORS[label % len(COLORS)])
    return figure


def _shown(
    detections: Detections | None, min_score: float
) -> list[tuple[Sequence[float], int]]:
    if detections is None:
        return []
    return [
        (box, int(label))
        for box, label, score in zip(
            detections.input_boxes, detections.labels, detections.scores, strict=True
        )
        if score >= min_score
    ]


__all__ = ['draw_event_frames']
