"""Frames of a window of a recording, by its file format."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from mmsnn.utils import NamedRows
from mmsnn.utils.errors import UserError, first_line, reason_of

from ..values import Events, check_events
from .dat_files import COMMENT, DatFile
from .rvt_files import read_histograms

_NPY = b'\x93NUMPY'

FrameReader = Callable[[Path, tuple[int, int], int, int, tuple[int, int]], np.ndarray]
"""Function that returns the frames of a window of a recording.

Its arguments are the path, the window, ``num_steps``, ``num_bins`` and the height and
width. The arguments and the result are those of :func:`count_events`.
"""


EventReader = Callable[[Path, tuple[int, int], tuple[int, int]], Events]
"""Function of a path, a window and a sensor size that returns the window's events."""


def count_read(read: EventReader) -> FrameReader:
    """Return a function that reads the events of a window and counts them."""

    def frames(
        path: Path,
        window: tuple[int, int],
        num_steps: int,
        num_bins: int,
        size: tuple[int, int],
    ) -> np.ndarray:
        events = read(path, window, size)
        return count_events(events, window, num_steps, num_bins, size)

    return frames


def _read_dat(path: Path, window: tuple[int, int], size: tuple[int, int]) -> Events:
    return DatFile(path).read(*window, size)


def read_npy(
    path: str | os.PathLike[str],
    sensor_size: tuple[int, int],
    max_events: int | None = None,
) -> Events:
    """Read all events of a NumPy file, as in PEDRo.

    Args:
        path: File with a structured array with fields t, x, y and p, or an array of
            these columns, ``[num_events, 4]``.
        sensor_size: Height and width of the sensor in pixels.
        max_events: Largest number of events; None is no limit.

    Raises:
        UserError: If the file cannot be read, has another format, has no or too many
            events, or they have invalid values.
    """
    try:
        # refuses pickles and files that are shorter than their header states, before
        # memory is allocated
        mapped = np.lib.format.open_memmap(path, mode='r')
        _check_number(len(mapped), max_events)
        return check_events(npy_columns(np.array(mapped)), sensor_size)
    except Exception as error:
        # NumPy raises various exceptions for damaged headers
        raise UserError(
            f'event file {os.fspath(path)!r} cannot be read as npy: {reason_of(error)}'
        ) from error


def npy_columns(stored: np.ndarray) -> dict[str, np.ndarray]:
    """Return the columns of a stored array of events by name, see :func:`read_npy`.

    Raises:
        ValueError: If the array has another shape.
    """
    if stored.dtype.names is not None and stored.ndim == 1:
        return {name: stored[name] for name in stored.dtype.names}
    if stored.dtype.names is not None or stored.shape[1:] != (4,):
        raise ValueError(
            f'it must have columns t, x, y and p, but has shape {list(stored.shape)}'
        )
    return dict(zip('txyp', stored.T, strict=True))


def read_recording(
    path: Path, sensor_size: tuple[int, int], max_events: int | None = None
) -> Events:
    """Read all events of a ``.dat`` or ``.npy`` file, which its first bytes tell apart.

    Args:
        path: The file.
        sensor_size: Height and width of the sensor in pixels.
        max_events: Largest number of events; None is no limit.

    Raises:
        UserError: If the file cannot be read, has another format, has no or too many
            events, or they have invalid values.
    """
    try:
        with path.open('rb') as file:
            start = file.read(len(_NPY))
    except OSError as error:
        raise UserError(
            f'event file {str(path)!r} cannot be read: {first_line(error)}'
        ) from error
    if start == _NPY:
        return read_npy(path, sensor_size, max_events)
    if not start.startswith(COMMENT):
        raise UserError(
            f'event file {str(path)!r} is not a recording that can be read, .dat '
            '(Prophesee) or .npy'
        )
    recording = DatFile(path)
    try:
        _check_number(len(recording), max_events)
    except ValueError as error:
        raise UserError(f'event file {str(path)!r} cannot be used: {error}') from error
    return recording.read(recording.first, recording.last + 1, sensor_size)


def _check_number(number: int, max_events: int | None) -> None:
    if max_events is not None and number > max_events:
        raise ValueError(
            f'it has {number} events, but at most {max_events} are allowed'
        )


def busiest_window(events: Events, duration: int) -> tuple[int, int]:
    """Return the window of a recording with the most events, the earliest if several.

    Args:
        events: All events of the recording, at least one.
        duration: Length of the window in microseconds.

    Returns:
        Begin (inclusive), the time of an event, and end (exclusive) in microseconds.
    """
    t = events['t'].astype(np.int64)
    numbers = np.searchsorted(t, t + duration) - np.arange(len(t))
    begin = int(t[numbers.argmax()])
    return begin, begin + duration


def _read_npy_window(
    path: Path, window: tuple[int, int], size: tuple[int, int]
) -> Events:
    """Return all events, with the first one at the start of the window."""
    events = read_npy(path, size)
    return {**events, 't': events['t'] - events['t'][0] + window[0]}


RECORDINGS: NamedRows[FrameReader] = NamedRows(
    'recording format',
    object,
    {
        'dat': count_read(_read_dat),
        'npy': count_read(_read_npy_window),
        'rvt': read_histograms,
    },
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
    # small types of stored arrays would overflow
    t, x, y, p = (events[name].astype(np.int64) for name in 'txyp')
    t = np.minimum((t - begin) * slices // (end - begin), slices - 1)
    index = ((t * 2 + p) * height + y) * width + x
    counts = np.bincount(index, minlength=slices * 2 * height * width)
    shape = (num_steps, 2 * num_bins, height, width)
    return counts.astype(np.float32).reshape(shape)
