"""Prophesee's ``_bbox.npy`` files of labelled boxes."""

import io
import os
from pathlib import Path

import numpy as np

from mmsnn.utils.atomic_files import write_atomically
from mmsnn.utils.errors import UserError, reason_of

BOX = np.dtype(
    [
        ('t', '<i8'),
        ('x', '<f4'),
        ('y', '<f4'),
        ('w', '<f4'),
        ('h', '<f4'),
        ('class_id', 'u1'),
        ('class_confidence', '<f4'),
        ('track_id', '<u4'),
    ]
)
"""A labelled box: time in microseconds, top left corner and size in pixels."""

# names in files of the first release
_OLD_NAMES = {'t': 'ts', 'class_confidence': 'confidence'}
_OPTIONAL = ('class_confidence', 'track_id')


def read_boxes(path: str | os.PathLike[str]) -> np.ndarray:
    """Read boxes, by the names of their fields, in temporal order.

    The order of the fields differs between releases, and so do two of the names.

    Returns:
        Boxes of dtype ``BOX``, possibly none.

    Raises:
        UserError: If the file cannot be read or lacks a field, a coordinate is not
            finite, or a time or class is not a whole number or is negative.
    """
    try:
        with Path(path).open('rb') as file:
            stored = np.lib.format.read_array(file, allow_pickle=False)
            if file.read(1):
                raise ValueError('it has more bytes than its header says')
        return to_boxes(stored)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(
            f'box file {os.fspath(path)!r} cannot be used: {reason_of(error)}'
        ) from error


def to_boxes(stored: np.ndarray) -> np.ndarray:
    """Return stored boxes as ``BOX``, by the names of their fields, in temporal order.

    Raises:
        ValueError: If a field is missing, a coordinate is not finite, or a time or
            class is not a whole number or is negative. The message calls the source of
            the boxes "it".
    """
    names = stored.dtype.names or ()
    boxes = np.zeros(stored.size, BOX)
    for name in BOX.names or ():
        found = next((n for n in (name, _OLD_NAMES.get(name)) if n in names), None)
        if found is not None:
            values = stored[found].ravel()
            if values.dtype.kind not in 'iuf':
                raise ValueError(f'{found} must be numbers, but has {values.dtype}')
            with np.errstate(invalid='ignore'):
                boxes[name] = values
            whole = (boxes[name] == values) & (boxes[name] >= 0)
            if name in ('t', 'class_id') and not whole.all():
                raise ValueError(
                    f'{found} must be whole numbers that are not negative, but is '
                    f'{values[whole.argmin()]} in box {whole.argmin()}'
                )
        elif name not in _OPTIONAL:
            raise ValueError(f'it lacks the field {name!r}; it has {list(names)}')
    geometry = np.stack([boxes[name] for name in 'xywh'])
    bad = ~np.isfinite(geometry).all(axis=0)
    if bad.any():
        index = int(bad.argmax())
        raise ValueError(
            f'x, y, w and h must be finite, but are '
            f'{geometry[:, index].tolist()} in box {index}'
        )
    return boxes[np.argsort(boxes['t'], kind='stable')]


def write_boxes(path: str | os.PathLike[str], boxes: np.ndarray) -> None:
    """Write boxes of dtype ``BOX``."""
    content = io.BytesIO()
    np.lib.format.write_array(content, boxes, allow_pickle=False)
    write_atomically(Path(path), content.getvalue())
