"""What is drawn agrees with what is annotated."""

import zlib

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from mmsnn.datasets.digits.making import load_materials
from mmsnn.datasets.digits.rendering import (
    DrawnDigit,
    Material,
    draw_image,
    size_class,
)

NUM_IMAGES = 40
Drawing = tuple[np.ndarray, list[DrawnDigit]]


@pytest.fixture(scope='module')
def plain() -> Material:
    """All digits, on grey: what differs from the grey was drawn."""
    digits = load_digits()
    glyphs = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    photo = np.full((200, 300, 3), 100, dtype=np.uint8)
    return Material(glyphs, digits.target, np.arange(len(glyphs)), (photo,))


def inside(item: DrawnDigit) -> tuple[slice, slice]:
    x, y, width, height = item.box
    return slice(y, y + height), slice(x, x + width)


def outside(drawn: list[DrawnDigit]) -> np.ndarray:
    mask = np.ones((128, 128), dtype=bool)
    for item in drawn:
        mask[inside(item)] = False
    return mask


@pytest.fixture(scope='module')
def drawings(plain: Material) -> list[Drawing]:
    """Images, as the distance of each pixel from the background, and objects."""
    found = []
    for number in range(NUM_IMAGES):
        image, drawn = draw_image(np.random.default_rng(number), plain, 128, 6)
        background = image[outside(drawn)][0].astype(int)
        found.append((np.abs(image.astype(int) - background).max(axis=2), drawn))
    return found


def test_images_stay_what_they_are() -> None:
    """What is drawn faster is still the same, so that results stay comparable."""
    checksum = 0
    for number, side in enumerate((128, 128, 256, 256)):
        rng = np.random.default_rng(number)
        image, drawn = draw_image(rng, load_materials(0)['val'], side, 6)
        checksum = zlib.crc32(image.tobytes() + repr(drawn).encode(), checksum)
    assert checksum == 792275028


def test_boxes_are_tight(drawings: list[Drawing]) -> None:
    """Nothing is outside; each side touches half the stroke's opacity or more."""
    for distance, drawn in drawings:
        assert not distance[outside(drawn)].any()
        for item in drawn:
            stroke = distance[inside(item)]
            visible = stroke >= 0.48 * stroke.max()
            for side in (visible[0], visible[-1], visible[:, 0], visible[:, -1]):
                assert side.any()


def test_digits_are_upright_and_as_written(
    plain: Material, drawings: list[Drawing]
) -> None:
    """Shrunk to 8x8 again, a drawing is like its source, and less so if mirrored."""
    agreements = []
    for distance, drawn in drawings:
        for item in drawn:
            assert plain.labels[item.source_index] == item.label
            glyph = plain.glyphs[item.source_index]
            rows, columns = (np.nonzero(glyph.max(axis) > 96)[0] for axis in (1, 0))
            core = glyph[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            stroke = Image.fromarray(distance[inside(item)].astype(np.uint8))
            shrunk = stroke.resize(core.shape[::-1], Image.Resampling.BOX)
            agreements.append(np.corrcoef(np.ravel(shrunk), np.ravel(core))[0, 1])
    assert len(agreements) > 80
    assert np.median(agreements) > 0.8
    assert np.percentile(agreements, 5) > 0.5


def test_colours_are_varied_and_stand_out(plain: Material) -> None:
    luma = np.array([0.299, 0.587, 0.114])
    colours = []
    for number in range(NUM_IMAGES):
        image, drawn = draw_image(np.random.default_rng(number), plain, 128, 1)
        patch = image[inside(drawn[0])].reshape(-1, 3).astype(int)
        background = np.bincount(image[..., 0].ravel()).argmax()
        contrast = np.abs(patch @ luma - background)
        colours.append(patch[contrast.argmax()])
        assert contrast.max() >= 40
    assert len(np.unique(np.array(colours) // 32, axis=0)) > NUM_IMAGES / 2


def test_backgrounds_stay_in_the_region(plain: Material) -> None:
    """An image has no colour from outside the part of the photograph it may use."""
    photo = np.zeros((400, 300, 3), dtype=np.uint8)
    photo[200:] = 255
    upper = Material(plain.glyphs, plain.labels, plain.pool, (photo[:200],))
    for number in range(10):
        image, drawn = draw_image(np.random.default_rng(number), upper, 128, 2)
        assert not image[outside(drawn)].any()


def test_size_class_is_cocos() -> None:
    areas = (32**2 - 1, 32**2, 96**2, 96**2 + 1)
    names = [size_class(area) for area in areas]
    assert names == ['small', 'medium', 'medium', 'large']
