"""Pictures of Grad-CAM for one image."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmsnn.analysis.gradcam import ImageCam, LayerCam

from .box_pictures import draw_box
from .image_overlay import restore_image, show_image, show_map
from .plot_style import COLORS, plot_style

_CAM_COLORS = 'inferno'
_BOX = COLORS[5]
_COLUMNS = 6


def draw_gradcam(
    layer: LayerCam, cam: ImageCam, preprocessor: Mapping[str, Any] | None = None
) -> Figure:
    """Draw the Grad-CAM of a layer: the mean over time, and each time step.

    The maps are enlarged bilinearly and have one colour scale, from 0 to their largest
    value. The explained boxes are drawn.

    Args:
        layer: The maps.
        cam: The Grad-CAM to which the layer belongs.
        preprocessor: See :func:`restore_image`.

    Raises:
        ValueError: If the image cannot be drawn.
    """
    image = cam.image
    pixels = restore_image(image, preprocessor)
    highest = float(layer.steps.max())
    maps = [('mean over time', layer.mean)]
    maps += [(f't = {t + 1}', step) for t, step in enumerate(layer.steps)]
    if len(layer.steps) == 1:
        maps = [('Grad-CAM', layer.mean)]
    columns = min(_COLUMNS, len(maps) + 1)
    rows = -(-(len(maps) + 1) // columns)
    with plot_style():
        height = 1.75 * min(1.5, max(0.6, image.height / image.width))
        size = (1.75 * columns + 1.0, (height + 0.3) * rows + 0.45)
        figure = Figure(figsize=size, layout='constrained')
        axes = figure.subplots(rows, columns, squeeze=False)
        for one in axes.flat:
            one.set_axis_off()
        show_image(axes.flat[0], image, pixels)
        _finish(axes.flat[0], 'input', cam)
        for one, (title, values) in zip(axes.flat[1:], maps, strict=False):
            drawn = show_map(
                one,
                np.asarray(values),
                image,
                (0.0, highest or 1.0),
                _CAM_COLORS,
                pixels,
                interpolation='bilinear',
            )
            _finish(one, title, cam)
        figure.colorbar(drawn, ax=axes, shrink=0.85, pad=0.01)
        figure.suptitle(layer.name, fontsize='medium')
    return figure


def _finish(axes: Axes, title: str, cam: ImageCam) -> None:
    axes.set_title(title, fontsize=9)
    if cam.boxes is not None:
        for box in cam.boxes.input_boxes:
            draw_box(axes, box, cam.image, _BOX)
