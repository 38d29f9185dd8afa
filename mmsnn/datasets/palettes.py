"""Class colours for drawing."""

import colorsys
from collections.abc import Mapping
from itertools import count
from typing import Any

# Hues at multiples of the golden ratio stay distinct for any number of classes.
_GOLDEN_RATIO = 0.618034


def with_colors(metainfo: Mapping[str, Any]) -> dict[str, Any]:
    """Return a data set's ``metainfo`` with a colour for each class.

    A palette that is shorter than the list of classes, for example because the config
    replaces the classes, is extended, because MMDetection's visualizer fails for a
    class without a colour. Other palettes are kept: names, one colour for all classes,
    or none.

    Args:
        metainfo: The data set's ``metainfo``, with ``classes`` and ``palette``.
    """
    classes, palette = metainfo.get('classes'), metainfo.get('palette')
    if classes is None or not isinstance(palette, list | tuple):
        return dict(metainfo)
    if len(palette) >= len(classes) or not all(map(_is_color, palette)):
        return dict(metainfo)
    colors = [tuple(color) for color in palette]
    hues = (i * _GOLDEN_RATIO % 1 for i in count())
    while len(colors) < len(classes):
        red, green, blue = colorsys.hsv_to_rgb(next(hues), 0.8, 0.85)
        color = (round(255 * red), round(255 * green), round(255 * blue))
        if color not in colors:
            colors.append(color)
    # a list, because MMDetection interprets a tuple as one colour
    return {**metainfo, 'palette': colors}


def _is_color(value: Any) -> bool:
    return isinstance(value, list | tuple)
