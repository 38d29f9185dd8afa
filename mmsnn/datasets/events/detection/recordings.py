"""Reading of a window of events from a recording, by its file format."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from mmsnn.utils import NamedRows
from mmsnn.utils.errors import UserError, first_line

from ..values import Events, check_events
from .dat_files import DatFile

WindowReader = Callable[[Path, tuple[int, int], tuple[int, int]], Events]
"""Function of a path, a window and a sensor size that returns events."""


def _read_dat(
    path: Path, window: tuple[int, int], sensor_size: tuple[int, int]
) -> Events:
    return DatFile(path).read(*window, sensor_size)


def read_npy(path: str | os.PathLike[str], sensor_size: tuple[int, int]) -> Events:
    """Read all events of a NumPy file, as in PEDRo.

    Args:
        path: File with a structured array with fields t, x, y and p, or an array of
            these columns, ``[num_events, 4]``.
        sensor_size: Height and width of the sensor in pixels.

    Raises:
        UserError: If the file cannot be read, has another format, has no events, or
            they have invalid values.
    """
    try:
        with Path(path).open('rb') as file:
            stored = np.lib.format.read_array(file, allow_pickle=False)
        return check_events(npy_columns(stored), sensor_size)
    except (OSError, ValueError, EOFError) as error:
        reason = str(error) if type(error) is ValueError else first_line(error)
        raise UserError(
            f'event file {os.fspath(path)!r} cannot be read as npy: {reason}'
        ) from error


def npy_columns(stored: np.ndarray) -> dict[str, np.ndarray]:
    """Return the columns of a stored array of events by name, see :func:`read_npy`.

    Raises:
        ValueError: If the array has another shape.
    """
    if stored.dtype.names is not None:
        return {name: stored[name] for name in stored.dtype.names}
    if stored.ndim != 2 or stored.shape[1] != 4:
        raise ValueError(
            f'it must have columns t, x, y and p, but has shape {list(stored.shape)}'
        )
    return dict(zip('txyp', stored.T, strict=True))


def _read_npy_window(
    path: Path, window: tuple[int, int], sensor_size: tuple[int, int]
) -> Events:
    """Return all events; the window is the file's, from its first event."""
    events = read_npy(path, sensor_size)
    return {**events, 't': events['t'] - events['t'][0] + window[0]}


RECORDINGS: NamedRows[WindowReader] = NamedRows(
    'recording format',
    object,
    {'dat': _read_dat, 'npy': _read_npy_window},
)
"""Readers by name; ``RECORDINGS.register(name, reader)`` adds one."""


def count_events(
    events: Events,
    window: tuple[int, int],
    num_steps: int,
    num_bins: int,
    sensor_size: tuple[int, int],
) -> np.ndarray:
    """Count the events of a window per time step, bin, polarity and pixel.

    The window is divided into ``num_steps * num_bins`` slices of equal duration.

    Args:
        events: Arrays ``t``, ``x``, ``y`` and ``p``, all in the window.
        window: Begin (inclusive) and end (exclusive) in microseconds.
        num_steps: Number of time steps T.
        num_bins: Number of slices per time step, which become channels.
        sensor_size: Height and width in pixels.

    Returns:
        ``[T, 2 * num_bins, H, W]`` float32; channel ``2 * bin + polarity``.
    """
    begin, end = window
    height, width = sensor_size
    slices = num_steps * num_bins
    t = np.minimum((events['t'] - begin) * slices // (end - begin), slices - 1)
    index = ((t * 2 + events['p']) * height + events['y']) * width + events['x']
    counts = np.bincount(index, minlength=slices * 2 * height * width)
    shape = (num_steps, 2 * num_bins, height, width)
    return counts.astype(np.float32).reshape(shape)
