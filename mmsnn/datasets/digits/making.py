"""The bundled digits detection set: real handwritten digits on real photographs.

Made from what scikit-learn ships, without a download: the 1797 handwritten 8x8 digits
of ``load_digits`` (UCI's optical recognition set) in varied colours and sizes, on
crops of the two photographs of ``load_sample_images``. The material is divided:

- training uses four fifths of the digits of each class, validation the others;
- training uses the upper 60 % of both photographs, validation the lower 40 %.

An image depends on the seed, its split, its number and the options, not on the number
of images. The same options give the same bytes, given the same versions of NumPy,
Pillow and scikit-learn.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mmsnn.utils import describe
from mmsnn.utils.atomic_files import write_atomically
from mmsnn.utils.progress import track

from .folder import (
    SPLITS,
    SplitSummary,
    annotation_path,
    find_own_files,
    prepare_folder,
    read_complete,
    summarize_split,
)
from .rendering import DrawnDigit, Material, draw_image

CLASSES = tuple('0123456789')
DEFAULT_OUT_DIR = 'data/digits_detection'

# Name -> smallest and largest allowed value. Below 112 pixels no large object fits.
LIMITS = {
    'image_size': (112, 1024),
    'num_train': (1, 100_000),
    'num_val': (1, 100_000),
    'seed': (0, 2**32 - 1),
    'max_objects': (1, 20),
}

# Increment whenever the same options give other data.
_VERSION = 1
_GENERATOR = 'mmsnn.datasets.make_digits_detection'
_VAL_DIGITS = 0.2
_TRAIN_ROWS = 0.6
# Key of the random stream that divides the digits; the splits use 0 and 1.
_DIVISION_KEY = len(SPLITS)


@dataclass(frozen=True)
class DigitsDetectionSummary:
    """Result of :func:`make_digits_detection`.

    Attributes:
        out_dir: The data set's folder.
        created: False if a complete set with the same options was kept.
        splits: 'train' and 'val' -> counts.
    """

    out_dir: Path
    created: bool
    splits: Mapping[str, SplitSummary]


def make_digits_detection(
    out_dir: str | os.PathLike[str] = DEFAULT_OUT_DIR,
    image_size: int = 128,
    num_train: int = 2000,
    num_val: int = 200,
    seed: int = 0,
    max_objects: int = 6,
) -> DigitsDetectionSummary:
    """Make the digits detection set in COCO's format, unless it exists.

    Writes ``annotations/instances_{train,val}.json``, ``train/*.png`` and
    ``val/*.png``. Boxes are tight around the visible strokes, don't overlap, and lie
    inside the image. An annotation's ``area`` is its box's, so that COCO's size
    classes follow the box, and its ``segmentation`` is the box's polygon;
    ``source_index`` is the digit's row in ``load_digits``.

    The annotations are written last. A set without them, or with other options, is
    made anew. If stderr is a terminal, a progress bar is shown.

    Args:
        out_dir: Folder to write to. It must be new, empty, or made by this function.
        image_size: Height and width of the images in pixels, 112 to 1024.
        num_train: Number of training images.
        num_val: Number of validation images.
        seed: Seed of everything that is random.
        max_objects: Maximum number of objects in an image, 1 to 20; fewer are drawn
            if there is no room.

    Returns:
        The folder and its counts.

    Raises:
        TypeError: If an option has a wrong type.
        ValueError: If an option is out of range.
        FileExistsError: If ``out_dir`` holds anything that was not made by this
            function; nothing is changed then.
        ModuleNotFoundError: If scikit-learn is not installed.
    """
    if not isinstance(out_dir, str | os.PathLike):
        raise TypeError(f'out_dir must be a path, but got {describe(out_dir)}')
    if not os.fspath(out_dir):
        raise ValueError('out_dir must name a folder, but it is empty')
    options = {
        'image_size': image_size,
        'num_train': num_train,
        'num_val': num_val,
        'seed': seed,
        'max_objects': max_objects,
    }
    options = {name: check_option(name, value) for name, value in options.items()}
    root = Path(out_dir)
    infos = {split: _make_info(split, options) for split in SPLITS}
    own = find_own_files(root)
    found = read_complete(root, infos)
    if found is not None:
        return DigitsDetectionSummary(root, False, found)

    materials = load_materials(options['seed'])
    prepare_folder(root, own)
    contents = {
        split: _write_images(root, split, materials[split], infos[split])
        for split in SPLITS
    }
    for split in SPLITS:
        content = json.dumps(contents[split]).encode()
        write_atomically(annotation_path(root, split), content)
    splits = {split: summarize_split(contents[split]) for split in SPLITS}
    return DigitsDetectionSummary(root, True, splits)


def divide_digits(labels: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Divide digits between the splits, class by class.

    Args:
        labels: Class of every digit, ``[num_digits]``.
        seed: The data set's seed.

    Returns:
        'train' and 'val' -> sorted indices into ``labels``; together all of them.
    """
    rng = make_rng(seed, _DIVISION_KEY)
    held_out = []
    for label in range(len(CLASSES)):
        members = rng.permutation(np.flatnonzero(labels == label))
        held_out.append(members[: round(_VAL_DIGITS * len(members))])
    val = np.sort(np.concatenate(held_out))
    return {'train': np.setdiff1d(np.arange(len(labels)), val), 'val': val}


def make_rng(seed: int, *key: int) -> np.random.Generator:
    """Return the random stream of a seed and a key, independent of all others."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence((seed, *key))))


def check_option(name: str, value: Any) -> int:
    """Return an option as an int if it is within its limits."""
    low, high = LIMITS[name]
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f'{name} must be an integer, but got {describe(value)}')
    number = int(value)
    if not low <= number <= high:
        raise ValueError(f'{name} must be from {low} to {high}, but got {number}')
    return number


def _make_info(split: str, options: Mapping[str, int]) -> dict[str, Any]:
    """Return the ``info`` of a split's annotations: all that its content depends on."""
    return {
        'description': 'Handwritten digits on photographs, from scikit-learn',
        'generator': _GENERATOR,
        'version': _VERSION,
        'split': split,
        'num_images': options[f'num_{split}'],
        'image_size': options['image_size'],
        'max_objects': options['max_objects'],
        'seed': options['seed'],
    }


def load_materials(seed: int) -> dict[str, Material]:
    """Load scikit-learn's digits and photographs and divide them between the splits.

    Args:
        seed: The data set's seed.

    Returns:
        'train' and 'val' -> the material of its images.

    Raises:
        ModuleNotFoundError: If scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits, load_sample_images
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            'the bundled digits are those of scikit-learn, which cannot be imported '
            f'({error}): pip install scikit-learn'
        ) from error
    digits = load_digits()
    # 0..16 to 0..255
    glyphs = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    pools = divide_digits(digits.target, seed)
    photos = [np.asarray(photo) for photo in load_sample_images().images]
    cuts = [int(_TRAIN_ROWS * len(photo)) for photo in photos]
    regions = {
        'train': tuple(p[:cut] for p, cut in zip(photos, cuts, strict=True)),
        'val': tuple(p[cut:] for p, cut in zip(photos, cuts, strict=True)),
    }
    return {
        split: Material(glyphs, digits.target, pools[split], regions[split])
        for split in SPLITS
    }


def _write_images(
    root: Path, split: str, material: Material, info: dict[str, Any]
) -> dict[str, Any]:
    """Draw and write the images of a split and return its annotations."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    side = info['image_size']
    for number in track(range(info['num_images']), f'Drawing {split} images'):
        rng = make_rng(info['seed'], SPLITS.index(split), number)
        pixels, drawn = draw_image(rng, material, side, info['max_objects'])
        name = f'{number:06d}.png'
        Image.fromarray(pixels).save(root / split / name, compress_level=1)
        images.append({'id': number, 'file_name': name, 'width': side, 'height': side})
        for digit in drawn:
            # pycocotools interprets the id 0 as "no match"
            annotations.append(_annotate(len(annotations) + 1, number, digit))
    categories = [
        {'id': label + 1, 'name': name, 'supercategory': 'digit'}
        for label, name in enumerate(CLASSES)
    ]
    return {
        'info': info,
        'images': images,
        'annotations': annotations,
        'categories': categories,
    }


def _annotate(number: int, image: int, digit: DrawnDigit) -> dict[str, Any]:
    """Return COCO's annotation of an object."""
    x, y, width, height = digit.box
    right, bottom = x + width, y + height
    return {
        'id': number,
        'image_id': image,
        'category_id': digit.label + 1,
        'bbox': list(digit.box),
        'area': width * height,
        'segmentation': [[x, y, right, y, right, bottom, x, bottom]],
        'iscrowd': 0,
        'source_index': digit.source_index,
    }
