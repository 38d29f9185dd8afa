"""Draws a handwritten digit at the size of an object, with soft edges."""

from functools import lru_cache

import numpy as np
from PIL import Image

# Ranges of the square root of a box's area, slightly inside COCO's classes so that
# rounding to whole pixels does not move an object into the next class.
_SIDES = {'small': (15.0, 31.0), 'medium': (36.0, 92.0), 'large': (98.0, 192.0)}
_MIN_HEIGHT = 18
# Empty cells around an 8x8 digit, in which the interpolation fades out.
_PAD = 2
# Side in pixels of the drawing that a digit's natural extent is measured in.
_PROBE = 120
# Opacity from which a pixel belongs to the visible stroke.
_VISIBLE = 128
_GREYS = np.arange(256, dtype=np.float32)


@lru_cache(maxsize=2048)
def _measure(glyph: bytes) -> tuple[Image.Image, np.ndarray, np.ndarray]:
    """Return a padded 8x8 digit, and the maxima of its columns and of its rows.

    The maxima are those of its drawing with ``_PROBE`` pixels per side. They are
    cached, because digits are used many times.
    """
    padded = np.pad(np.frombuffer(glyph, np.uint8).reshape(8, 8), _PAD)
    source = Image.fromarray(padded)
    probe = np.asarray(source.resize((_PROBE, _PROBE), Image.Resampling.BICUBIC))
    return source, probe.max(axis=0), probe.max(axis=1)


def draw_stroke(
    rng: np.random.Generator, glyph: np.ndarray, size: str, level: int, image_size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Upsample an 8x8 digit to an anti-aliased stroke of a size class.

    Args:
        rng: Source of randomness.
        glyph: The digit, uint8 ``[8, 8]``.
        size: COCO size class of the tight box.
        level: Grey value of the upsampled digit at which the stroke's edge is put;
            lower is bolder.
        image_size: Side of the image that it must fit in.

    Returns:
        Grey values, uint8 ``[height, width]``, and the opacity of every grey value,
        float32 ``[256]``, 0 to 255. Every border row and column has a visible pixel
        (opacity of at least one half): the array is the box.
    """
    source, columns, rows = _measure(glyph.tobytes())
    cells = source.width
    left, right = _extent(columns, level)
    top, bottom = _extent(rows, level)
    unit = cells / _PROBE
    natural = (right - left) / (bottom - top)
    width, height = _draw_shape(rng, size, natural, image_size)
    # A margin of two output pixels on each side leaves room for the soft edge.
    step_x, step_y = (right - left) * unit / width, (bottom - top) * unit / height
    region = (
        max(left * unit - 2 * step_x, 0.0),
        max(top * unit - 2 * step_y, 0.0),
        min(right * unit + 2 * step_x, cells),
        min(bottom * unit + 2 * step_y, cells),
    )
    upsampled = source.resize(
        (width + 4, height + 4), Image.Resampling.BICUBIC, box=region
    )
    grey = np.asarray(upsampled)
    # Steeper for larger digits, so that the edge stays about two pixels wide, and steep
    # enough for empty paper to be fully transparent. The slope exceeds 1, so that the
    # visible pixels are those that reach the level.
    slope = max(_VISIBLE / level, 0.5 / max(step_x, step_y))
    opacities = np.rint(_VISIBLE + (_GREYS - level) * np.float32(slope)).clip(0, 255)
    left, right = _extent(grey.max(axis=0), level)
    top, bottom = _extent(grey.max(axis=1), level)
    return grey[top:bottom, left:right], opacities


def _draw_shape(
    rng: np.random.Generator, size: str, natural: float, image_size: int
) -> tuple[int, int]:
    """Draw the width and height of a box of a size class, near a natural aspect.

    Narrow digits are widened if a large box would otherwise not fit in the image.
    """
    aspect = natural * np.exp(0.4 * rng.random() - 0.2)
    aspect = float(np.clip(aspect, 0.35, 1.25))
    low, high = _SIDES[size]
    side = low + (min(high, 0.93 * image_size) - low) * rng.random()
    height = min(side / aspect**0.5, 0.95 * image_size)
    if size == 'large':
        width = side**2 / height
    else:
        height = max(height, _MIN_HEIGHT)
        width = min(height * aspect, side**2 / _MIN_HEIGHT)
    return round(width), round(height)


def _extent(maxima: np.ndarray, level: int) -> tuple[int, int]:
    """Return the first and last (exclusive) column, or row, that reaches a level."""
    reached = np.flatnonzero(maxima >= level)
    return int(reached[0]), int(reached[-1]) + 1
