"""Draws one image of the bundled digits detection set, with its boxes."""

import colorsys
from dataclasses import dataclass

import numpy as np
from PIL import Image

# Boundaries of COCO's size classes, in pixels of area.
COCO_SMALL_AREA = 32**2
COCO_LARGE_AREA = 96**2

# Ranges of the square root of a box's area, a bit inside COCO's classes so that
# rounding to whole pixels does not move an object into the next class.
_SIDES = {'small': (15.0, 31.0), 'medium': (36.0, 92.0), 'large': (98.0, 192.0)}
# Probabilities of small, medium and large for the first object of an image, which
# decides what still fits, and for the objects after it.
_FIRST_ODDS = (0.30, 0.40, 0.30)
_OTHER_ODDS = (0.45, 0.45, 0.10)
# What is tried for an object of a size until there is a free place.
_ATTEMPTS = {
    'small': ('small',),
    'medium': ('medium', 'medium', 'small'),
    'large': ('large', 'medium', 'small'),
}
_MIN_HEIGHT = 18
# Pixels between two boxes.
_GAP = 2
# Empty cells around an 8x8 digit, for the interpolation to fade out in.
_PAD = 2
# Side in pixels of the drawing that a digit's natural extent is measured in.
_PROBE = 120
# Opacity from which a pixel belongs to the visible stroke.
_VISIBLE = 128
# Difference of luminance, of 255, that makes a colour stand out.
_MIN_CONTRAST = 60.0


@dataclass(frozen=True)
class DrawnDigit:
    """One object of an image.

    Attributes:
        label: The digit, 0 to 9.
        source_index: Row of ``sklearn.datasets.load_digits`` that it comes from.
        box: ``(x, y, width, height)`` in whole pixels, tight around the stroke.
    """

    label: int
    source_index: int
    box: tuple[int, int, int, int]


@dataclass(frozen=True)
class Material:
    """What the images of one split are made from.

    Attributes:
        glyphs: Handwritten digits, uint8 ``[num_digits, 8, 8]``, 0 is empty.
        labels: Class of each digit, ``[num_digits]``.
        pool: Indices of the digits that this split may use, ``[pool_size]``.
        photos: Regions of photographs that this split may use, uint8 ``[H, W, 3]``.
    """

    glyphs: np.ndarray
    labels: np.ndarray
    pool: np.ndarray
    photos: tuple[np.ndarray, ...]


def size_class(area: float) -> str:
    """Name COCO's size class of an area in pixels: small, medium or large."""
    if area < COCO_SMALL_AREA:
        return 'small'
    return 'medium' if area <= COCO_LARGE_AREA else 'large'


def draw_image(
    rng: np.random.Generator, material: Material, image_size: int, max_objects: int
) -> tuple[np.ndarray, list[DrawnDigit]]:
    """Composite 1 to ``max_objects`` handwritten digits on a crop of a photograph.

    An object for which no free place is found is tried again smaller, then left out,
    so that boxes never overlap; the first object always fits.

    Args:
        rng: Source of all randomness of this image.
        material: Digits and photographs to take from.
        image_size: Height and width of the image in pixels.
        max_objects: Largest number of objects.

    Returns:
        The image, uint8 RGB ``[image_size, image_size, 3]``, and its objects.
    """
    image = _draw_background(rng, material.photos, image_size)
    drawn: list[DrawnDigit] = []
    for rank in range(1 + int(rng.integers(max_objects))):
        odds = _OTHER_ODDS if rank else _FIRST_ODDS
        size = ('small', 'medium', 'large')[_pick(rng, odds)]
        index = int(material.pool[rng.integers(len(material.pool))])
        level = int(rng.integers(95, 126))
        for attempt in _ATTEMPTS[size]:
            alpha = _draw_stroke(
                rng, material.glyphs[index], attempt, level, image_size
            )
            corner = _find_place(rng, alpha.shape, drawn, image_size)
            if corner is not None:
                break
        else:
            continue
        x, y = corner
        height, width = alpha.shape
        patch = image[y : y + height, x : x + width]
        _paint(rng, patch, alpha)
        box = (x, y, width, height)
        drawn.append(DrawnDigit(int(material.labels[index]), index, box))
    return image, drawn


def _pick(rng: np.random.Generator, odds: tuple[float, ...]) -> int:
    """Draw an index with the given probabilities."""
    # The last entry is left out so that a sum just below 1 cannot go past the end.
    return int(np.searchsorted(np.cumsum(odds)[:-1], rng.random(), side='right'))


def _draw_background(
    rng: np.random.Generator, photos: tuple[np.ndarray, ...], image_size: int
) -> np.ndarray:
    """Crop a photograph at a random place, zoom, flip, brightness and saturation."""
    photo = photos[rng.integers(len(photos))]
    rows, columns = photo.shape[:2]
    largest = min(rows, columns)
    low, high = min(0.75 * image_size, largest), min(1.5 * image_size, largest)
    side = int(low + (high - low) * rng.random())
    y = int(rng.integers(rows - side + 1))
    x = int(rng.integers(columns - side + 1))
    # Sliced before it is resized: a resize of the whole photograph with a box would
    # let pixels from outside the split's region bleed in.
    crop = Image.fromarray(photo[y : y + side, x : x + side])
    crop = crop.resize((image_size, image_size), Image.Resampling.BICUBIC)
    pixels = np.asarray(crop, dtype=np.float32)
    if rng.random() < 0.5:
        pixels = pixels[:, ::-1]
    gain = np.float32(0.7 + 0.45 * rng.random())
    saturation = np.float32(0.5 + 0.6 * rng.random())
    grey = _luminance(pixels)[..., None]
    pixels = (grey + (pixels - grey) * saturation) * gain
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


def _luminance(pixels: np.ndarray) -> np.ndarray:
    """Rec. 601 luma of ``[..., 3]`` RGB values."""
    red, green, blue = (pixels[..., i].astype(np.float32) for i in range(3))
    return (
        np.float32(0.299) * red + np.float32(0.587) * green + np.float32(0.114) * blue
    )


def _draw_stroke(
    rng: np.random.Generator, glyph: np.ndarray, size: str, level: int, image_size: int
) -> np.ndarray:
    """Upsample an 8x8 digit to an anti-aliased stroke mask of a size class.

    Args:
        rng: Source of randomness.
        glyph: The digit, uint8 ``[8, 8]``.
        size: COCO size class that the tight box shall have.
        level: Grey value of the upsampled digit at which the stroke's edge is put;
            lower is bolder.
        image_size: Side of the image that it must fit in.

    Returns:
        Opacity, uint8 ``[height, width]``. Every border row and column has a visible
        pixel (opacity of at least one half): the array is the box.
    """
    source = Image.fromarray(np.pad(glyph, _PAD))
    cells = source.width
    probe = source.resize((_PROBE, _PROBE), Image.Resampling.BICUBIC)
    left, top, right, bottom = _extent(np.asarray(probe) >= level)
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
    grey = source.resize((width + 4, height + 4), Image.Resampling.BICUBIC, box=region)
    # The steeper the larger the digit is drawn, so that the edge stays about two
    # pixels wide, and steep enough that empty paper is fully transparent.
    slope = max(_VISIBLE / level, 0.5 / max(step_x, step_y))
    alpha = _VISIBLE + (np.asarray(grey, dtype=np.float32) - level) * np.float32(slope)
    alpha = np.clip(np.rint(alpha), 0, 255).astype(np.uint8)
    left, top, right, bottom = _extent(alpha >= _VISIBLE)
    return alpha[top:bottom, left:right]


def _draw_shape(
    rng: np.random.Generator, size: str, natural: float, image_size: int
) -> tuple[int, int]:
    """Draw the width and height of a box of a size class, near a natural aspect.

    Narrow digits are widened where a large box would not fit in the image otherwise.
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


def _extent(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Left, top, right and bottom (exclusive) of the true pixels of a mask."""
    columns = np.flatnonzero(mask.any(axis=0))
    rows = np.flatnonzero(mask.any(axis=1))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _find_place(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    drawn: list[DrawnDigit],
    image_size: int,
    num_tries: int = 40,
) -> tuple[int, int] | None:
    """Draw a corner ``(x, y)`` where a box touches no other, or None."""
    height, width = shape
    x = rng.integers(image_size - width + 1, size=num_tries)
    y = rng.integers(image_size - height + 1, size=num_tries)
    free = np.ones(num_tries, dtype=bool)
    for other in drawn:
        left, top, other_width, other_height = other.box
        apart = (x >= left + other_width + _GAP) | (left >= x + width + _GAP)
        apart |= (y >= top + other_height + _GAP) | (top >= y + height + _GAP)
        free &= apart
    if not free.any():
        return None
    first = int(np.argmax(free))
    return int(x[first]), int(y[first])


def _paint(rng: np.random.Generator, patch: np.ndarray, alpha: np.ndarray) -> None:
    """Blend a stroke into ``patch`` in place, in a colour that stands out from it."""
    colour = _draw_colour(rng, _luminance(patch))
    opacity = alpha.astype(np.float32)[..., None] / 255
    opacity *= np.float32(0.85 + 0.15 * rng.random())
    blended = patch + (colour - patch) * opacity
    patch[...] = np.clip(np.rint(blended), 0, 255).astype(np.uint8)


def _draw_colour(rng: np.random.Generator, background: np.ndarray) -> np.ndarray:
    """Draw a colour whose luminance differs from nearly all of the background's.

    Args:
        rng: Source of randomness.
        background: Luminance behind the object, ``[height, width]``.

    Returns:
        RGB, float32 ``[3]``. Where no drawn colour has the wanted contrast to all
        levels, as over an edge in the photograph, the one that has the most over
        most of them is taken.
    """
    levels = np.percentile(background, (10, 30, 50, 70, 90))
    hsv = rng.random((24, 3)).tolist()
    candidates = [colorsys.hsv_to_rgb(h, 0.1 + 0.9 * s, v**0.5) for h, s, v in hsv]
    # A tinted near-black and near-white, so that there is always a way to stand out.
    tint = hsv[0][0]
    candidates.append(colorsys.hsv_to_rgb(tint, 0.6, 0.15))
    candidates.append(colorsys.hsv_to_rgb(tint, 0.12, 1.0))
    colours = np.rint(np.asarray(candidates) * 255).astype(np.float32)
    contrast = np.abs(_luminance(colours)[:, None] - levels)
    enough = np.flatnonzero(contrast.min(axis=1) >= _MIN_CONTRAST)
    typical = np.minimum(contrast, 2 * _MIN_CONTRAST).sum(axis=1)
    return colours[enough[0] if len(enough) else np.argmax(typical)]
