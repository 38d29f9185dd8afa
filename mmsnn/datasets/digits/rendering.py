"""Draws one image of the bundled digits detection set, with its boxes."""

import colorsys
from bisect import bisect
from dataclasses import dataclass

import numpy as np
from PIL import Image

from .strokes import draw_stroke

# Boundaries of COCO's size classes, in pixels of area.
COCO_SMALL_AREA = 32**2
COCO_LARGE_AREA = 96**2

# Probabilities of a small object, and of a small or medium one: for the first object,
# which decides how much room is left, and for the others.
_FIRST_ODDS = (0.30, 0.70)
_OTHER_ODDS = (0.45, 0.90)
# The sizes to try for an object of a size until one fits.
_ATTEMPTS = {
    'small': ('small',),
    'medium': ('medium', 'medium', 'small'),
    'large': ('large', 'medium', 'small'),
}
# Minimum distance of two boxes in pixels.
_GAP = 2
# Difference in luminance, 0 to 255, at which a colour stands out.
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
    """Return COCO's size class of an area in pixels: small, medium or large."""
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
        size = ('small', 'medium', 'large')[bisect(odds, rng.random())]
        index = int(material.pool[rng.integers(len(material.pool))])
        level = int(rng.integers(95, 126))
        for attempt in _ATTEMPTS[size]:
            grey, opacities = draw_stroke(
                rng, material.glyphs[index], attempt, level, image_size
            )
            corner = _find_place(rng, grey.shape, drawn, image_size)
            if corner is not None:
                break
        else:
            continue
        x, y = corner
        height, width = grey.shape
        patch = image[y : y + height, x : x + width]
        _paint(rng, patch, opacities[grey])
        box = (x, y, width, height)
        drawn.append(DrawnDigit(int(material.labels[index]), index, box))
    return image, drawn


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
    crop = Image.fromarray(photo[y : y + side, x : x + side])
    crop = crop.resize((image_size, image_size), Image.Resampling.BICUBIC)
    pixels = np.asarray(crop)
    if rng.random() < 0.5:
        pixels = pixels[:, ::-1]
    gain = np.float32(0.7 + 0.45 * rng.random())
    saturation = np.float32(0.5 + 0.6 * rng.random())
    # one plane per colour, changed in place, is faster
    planes = np.moveaxis(pixels, -1, 0).astype(np.float32, order='C')
    grey = _luminance(*planes)
    planes -= grey
    planes *= saturation
    planes += grey
    planes *= gain
    return np.ascontiguousarray(np.moveaxis(_to_bytes(planes), 0, -1))


def _luminance(red: np.ndarray, green: np.ndarray, blue: np.ndarray) -> np.ndarray:
    """Rec. 601 luma of float32 colours."""
    return (
        np.float32(0.299) * red + np.float32(0.587) * green + np.float32(0.114) * blue
    )


def _to_bytes(values: np.ndarray) -> np.ndarray:
    """Round float32 values, which are overwritten, to uint8."""
    np.rint(values, out=values)
    return np.clip(values, 0, 255, out=values).astype(np.uint8)


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
    behind = np.moveaxis(patch, -1, 0).astype(np.float32, order='C')
    colour = _draw_colour(rng, _luminance(*behind))
    opacity = alpha / 255
    opacity *= np.float32(0.85 + 0.15 * rng.random())
    blended = colour[:, None, None] - behind
    blended *= opacity
    blended += behind
    patch[...] = np.moveaxis(_to_bytes(blended), 0, -1)


def _draw_colour(rng: np.random.Generator, background: np.ndarray) -> np.ndarray:
    """Draw a colour whose luminance differs from nearly all of the background's.

    Args:
        rng: Source of randomness.
        background: Luminance behind the object, ``[height, width]``.

    Returns:
        RGB, float32 ``[3]``. If no colour has the minimum contrast to all levels, for
        example over an edge in the photograph, it is the one with the largest sum of
        contrasts, each limited to twice the minimum.
    """
    levels = np.percentile(background, (10, 30, 50, 70, 90))
    hsv = rng.random((24, 3)).tolist()
    candidates = [colorsys.hsv_to_rgb(h, 0.1 + 0.9 * s, v**0.5) for h, s, v in hsv]
    # A tinted near-black and near-white, so that one candidate always stands out.
    tint = hsv[0][0]
    candidates.append(colorsys.hsv_to_rgb(tint, 0.6, 0.15))
    candidates.append(colorsys.hsv_to_rgb(tint, 0.12, 1.0))
    colours = np.rint(np.asarray(candidates) * 255).astype(np.float32)
    contrast = np.abs(_luminance(*colours.T)[:, None] - levels)
    enough = np.flatnonzero(contrast.min(axis=1) >= _MIN_CONTRAST)
    typical = np.minimum(contrast, 2 * _MIN_CONTRAST).sum(axis=1)
    return colours[enough[0] if len(enough) else np.argmax(typical)]
