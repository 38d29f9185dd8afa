"""The bundled event detection set: handwritten digits filmed by an event camera.

Digits of scikit-learn's ``load_digits`` move with constant velocity in front of a
photograph of ``load_sample_images``, are filmed by :class:`.camera.EventCamera`, and
are written as Prophesee's files. Training and validation have different digits and
different parts of the photographs, see :mod:`mmsnn.datasets.digits.making`.
"""

import json
import os
import re
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mmsnn.datasets.digits.making import check_option, load_materials, make_rng
from mmsnn.datasets.digits.rendering import Material
from mmsnn.utils import check_positive_int, describe
from mmsnn.utils.progress import track

from .box_files import BOX, write_boxes
from .camera import CameraSettings, EventCamera
from .dat_files import write_dat

DEFAULT_OUT_DIR = 'data/event_digits'
SENSOR_SIZE = (128, 128)

# Increment whenever the same options give other data.
_VERSION = 1
_MARKER = '.event_digits.json'
_SPLITS = ('train', 'val')
_SUFFIXES = ('_td.dat', '_bbox.npy')
_OWN = re.compile(r'\.event_digits\.json|(train|val)(/\d{4,}_(td\.dat|bbox\.npy))?')
_FRAME = 10_000  # us between rendered frames; digits move by less than a pixel
_DURATION = 2_000_000
_LABELS = range(600_000, _DURATION, 200_000)
_SIDES = (26, 64)  # of the glyph's cell; the digit is about 0.8 as high
_SPEED = (25.0, 70.0)  # pixels per second
_MAX_DIGITS = 3
_ATTEMPTS = 20


@dataclass(frozen=True)
class _Digit:
    """A moving digit: its opacity, brightness, corners over time and label."""

    alpha: np.ndarray
    brightness: float
    corners: np.ndarray
    label: int


def make_event_digits(
    out_dir: str | os.PathLike[str] = DEFAULT_OUT_DIR,
    num_train: int = 140,
    num_val: int = 30,
    seed: int = 0,
) -> bool:
    """Make the event digits set, unless it exists.

    Writes ``{train,val}/NNNN_td.dat`` and ``NNNN_bbox.npy``: recordings of 2 s from
    128 x 128 pixels, with boxes every 200 ms from 600 ms. The set is built in a
    temporary folder that is then renamed. The same options give the same bytes, given
    the same versions of NumPy, OpenCV and scikit-learn.

    Args:
        out_dir: Folder to write to. It must be new, empty, or made by this function.
        num_train: Number of training recordings.
        num_val: Number of validation recordings.
        seed: Seed of everything that is random.

    Returns:
        False if a complete set with the same options was kept.

    Raises:
        TypeError: If an option has a wrong type.
        ValueError: If a number is out of range or ``out_dir`` is empty.
        FileExistsError: If ``out_dir`` holds anything that was not made by this
            function; nothing is changed then.
        ModuleNotFoundError: If scikit-learn is not installed.
    """
    if not isinstance(out_dir, str | os.PathLike):
        raise TypeError(f'out_dir must be a path, but got {describe(out_dir)}')
    if not os.fspath(out_dir):
        raise ValueError('out_dir must name a folder, but it is empty')
    numbers = {
        'train': check_positive_int('num_train', num_train),
        'val': check_positive_int('num_val', num_val),
    }
    seed = check_option('seed', seed)
    root = Path(out_dir)
    settings = asdict(CameraSettings())
    info = {'version': _VERSION, 'seed': seed, **numbers, 'camera': settings}
    if _is_made(root, info):
        return False
    materials = load_materials(seed)
    root.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f'.{root.name}.', dir=root.parent))
    try:
        for split, number in numbers.items():
            _film_split(made / split, materials[split], split, number, seed)
        (made / _MARKER).write_text(json.dumps(info) + '\n', encoding='utf-8')
        made.chmod(0o755)
        if root.exists():
            shutil.rmtree(root)
        made.rename(root)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return True


def _is_made(root: Path, info: dict[str, Any]) -> bool:
    """Return whether the folder has the set of these options.

    Raises:
        FileExistsError: If it is not a folder, or holds anything else.
    """
    if not os.path.lexists(root):
        return False
    if not root.is_dir():
        raise FileExistsError(f'{root} exists and is not a folder')
    names = {path.relative_to(root).as_posix() for path in root.rglob('*')}
    foreign = [n for n in names if _MARKER not in names or not _OWN.fullmatch(n)]
    if foreign:
        raise FileExistsError(
            f'{root} holds {min(foreign)!r}, which is not part of an event digits set '
            'made by this tool; move it away or choose another folder'
        )
    expected = {_MARKER, *_SPLITS}
    for split in _SPLITS:
        for number in range(info[split]):
            expected |= {f'{split}/{number:04d}{suffix}' for suffix in _SUFFIXES}
    try:
        found = json.loads((root / _MARKER).read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return False
    return bool(found == info and names == expected)


def _film_split(
    folder: Path, material: Material, split: str, number: int, seed: int
) -> None:
    folder.mkdir()
    for recording in track(range(number), f'Filming {split} recordings'):
        rng = make_rng(seed, _SPLITS.index(split), recording)
        background, digits = _draw_scene(rng, material)
        _film(folder / f'{recording:04d}', rng, background, digits)


def _draw_scene(
    rng: np.random.Generator, material: Material
) -> tuple[np.ndarray, list[_Digit]]:
    """Return a background, and one to three digits that never touch."""
    height, width = SENSOR_SIZE
    photo = material.photos[rng.integers(len(material.photos))]
    top = rng.integers(photo.shape[0] - height + 1)
    left = rng.integers(photo.shape[1] - width + 1)
    crop = photo[top : top + height, left : left + width].mean(axis=2)
    background = 0.2 + 0.3 * crop / 255
    digits: list[_Digit] = []
    wanted = int(rng.integers(1, _MAX_DIGITS + 1))
    for _ in range(_ATTEMPTS):
        digit = _draw_digit(rng, material)
        if not any(_touch(digit, other) for other in digits):
            digits.append(digit)
        if len(digits) == wanted:
            break
    return background, digits


def _draw_digit(rng: np.random.Generator, material: Material) -> _Digit:
    index = int(rng.choice(material.pool))
    side = int(rng.integers(_SIDES[0], _SIDES[1] + 1))
    glyph = material.glyphs[index].astype(np.float32) / 255
    grown = cv2.resize(glyph, (side, side), interpolation=cv2.INTER_CUBIC)
    alpha = np.clip((grown - 0.25) / 0.3, 0, 1)
    rows, columns = (np.flatnonzero((alpha >= 0.5).any(axis=a)) for a in (1, 0))
    alpha = alpha[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    # bright or dark in front of the background, which is between 0.2 and 0.5
    brightness = rng.uniform(0.8, 1.0) if rng.random() < 0.5 else rng.uniform(0.03, 0.1)
    angle, speed = rng.uniform(0, 2 * np.pi), rng.uniform(*_SPEED)
    room = np.array(SENSOR_SIZE) - alpha.shape
    seconds = np.arange(0, _DURATION + 1, _FRAME)[:, None] / 1e6
    velocity = speed * np.array([np.sin(angle), np.cos(angle)])
    path = rng.uniform(0, 1, 2) * room + seconds * velocity
    # reflection at the borders
    corners = room - np.abs(path % (2 * room) - room)
    return _Digit(alpha, brightness, corners, int(material.labels[index]))


def _touch(one: _Digit, other: _Digit) -> bool:
    gap = (
        np.abs(
            one.corners
            + np.array(one.alpha.shape) / 2
            - other.corners
            - np.array(other.alpha.shape) / 2
        )
        - (np.array(one.alpha.shape) + np.array(other.alpha.shape)) / 2
    )
    return bool((gap < 2).all(axis=1).any())


def _film(
    name: Path, rng: np.random.Generator, background: np.ndarray, digits: list[_Digit]
) -> None:
    """Film a scene and write its events and boxes."""
    camera = EventCamera(CameraSettings(), rng, _render(background, digits, 0))
    parts = [
        camera.film(_render(background, digits, i), i * _FRAME)
        for i in range(1, _DURATION // _FRAME + 1)
    ]
    events = {k: np.concatenate([part[k] for part in parts]) for k in 'txyp'}
    write_dat(f'{name}_td.dat', events, SENSOR_SIZE)
    boxes = np.array(
        [
            (
                t,
                *digit.corners[t // _FRAME][::-1],
                *digit.alpha.shape[::-1],
                digit.label,
                1.0,
                track_id,
            )
            for t in _LABELS
            for track_id, digit in enumerate(digits)
        ],
        BOX,
    )
    write_boxes(f'{name}_bbox.npy', boxes)


def _render(background: np.ndarray, digits: list[_Digit], frame: int) -> np.ndarray:
    """Return the intensity of a scene, in (0, 1]."""
    image = background.astype(np.float32)
    height, width = SENSOR_SIZE
    for digit in digits:
        y, x = digit.corners[frame]
        shift = np.array([[1, 0, x], [0, 1, y]], np.float32)
        alpha = cv2.warpAffine(digit.alpha, shift, (width, height))
        image += alpha * (digit.brightness - image)
    return image
