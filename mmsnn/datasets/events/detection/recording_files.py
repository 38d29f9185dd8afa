"""Formats of event recordings of which windows are read, by file name suffix."""

import os
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmsnn.utils import NamedRows
from mmsnn.utils.errors import UserError, reason_of

from ..values import Events, check_events
from .dat_files import DatFile
from .recordings import FrameReader, count_read, npy_columns
from .rvt_files import read_histograms, recorded_span


@dataclass(frozen=True)
class RecordingFile:
    """A format of recordings that can be cut into windows.

    Args:
        span: Function of a path that returns the times of the first and the last event
            in microseconds.
        frames: Returns the frames of a window; only the window is in memory.
        whole_windows: Whether a window must end within the recording.
    """

    span: Callable[[Path], tuple[int, int]]
    frames: FrameReader
    whole_windows: bool = False


class NpyFile:
    """A recording in NumPy's format, of which only the read windows are loaded.

    Args:
        path: File with a structured array with fields t, x, y and p, or an array of
            these columns, ``[num_events, 4]``.

    Attributes:
        path: The file.
        first: Time of the first event in microseconds.
        last: Time of the last event in microseconds.

    Raises:
        UserError: If the file cannot be read, is cut off, has no events or another
            format, or ends at an earlier time than it begins.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        try:
            if not self.path.is_file():
                # opening a pipe would block forever
                raise ValueError('it is not a regular file')
            # pages are loaded when they are accessed; objects are refused
            self._columns = npy_columns(np.lib.format.open_memmap(self.path, mode='r'))
            if missing := sorted(set('txyp') - set(self._columns)):
                raise ValueError(f'it lacks {", ".join(missing)}')
            t = self._columns['t']
            if not len(t):
                raise ValueError('it has no events')
            self.first, self.last = int(t[0]), int(t[-1])
        except Exception as error:
            # NumPy raises various exceptions for damaged headers
            raise self._unusable(reason_of(error)) from error
        if self.last < self.first:
            raise self._unusable(
                f'its time runs back from {self.first} to {self.last} us'
            )

    def read(self, begin: int, end: int, sensor_size: tuple[int, int]) -> Events:
        """Return the events from ``begin`` (inclusive) to ``end`` (exclusive).

        Args:
            begin: Time in microseconds.
            end: Time in microseconds.
            sensor_size: Height and width of the sensor in pixels.

        Returns:
            Arrays ``t``, ``x``, ``y`` and ``p`` (0 or 1) of equal length, possibly 0.

        Raises:
            UserError: If the time runs back over the begin or the end of the window, or
                an event has an invalid value.
        """
        t = self._columns['t']
        # searchsorted would read the whole file
        part = slice(bisect_left(t, begin), bisect_left(t, end))
        if part.stop <= part.start:
            return {name: np.empty(0, np.int64) for name in 'txyp'}
        chosen = {name: np.asarray(self._columns[name][part]) for name in 'txyp'}
        try:
            events = check_events(chosen, sensor_size)
        except ValueError as error:
            raise self._unusable(f'{error}, after {begin} us') from error
        if events['t'][0] < begin or events['t'][-1] >= end:
            raise self._unusable(f'its time runs back between {begin} and {end} us')
        return events

    def _unusable(self, reason: str) -> UserError:
        return UserError(
            f'event file {str(self.path)!r} cannot be read as npy: {reason}'
        )


def _of_events(open_file: Callable[[Path], Any]) -> RecordingFile:
    """Return the format of files with ``first``, ``last`` and ``read``.

    They are opened at each call, so that memory-mapped pages of windows that have been
    read are released.
    """

    def span(path: Path) -> tuple[int, int]:
        file = open_file(path)
        return file.first, file.last

    def read(path: Path, window: tuple[int, int], size: tuple[int, int]) -> Events:
        return open_file(path).read(*window, size)

    return RecordingFile(span, count_read(read))


RECORDING_FILES: NamedRows[RecordingFile] = NamedRows(
    'recording file',
    RecordingFile,
    {
        '.dat': _of_events(DatFile),
        '.npy': _of_events(NpyFile),
        '.h5': RecordingFile(recorded_span, read_histograms, whole_windows=True),
    },
)
"""Formats by suffix; ``RECORDING_FILES.register(suffix, format)`` adds one."""


def find_format(path: Path) -> RecordingFile:
    """Return the format of a recording.

    Raises:
        UserError: If no format has its suffix.
    """
    found = RECORDING_FILES.get(path.suffix.lower())
    if found is None:
        raise UserError(
            f'{str(path)!r} is not a recording of events: its name must end in '
            + ', '.join(RECORDING_FILES)
        )
    return found


__all__ = ['RECORDING_FILES', 'NpyFile', 'RecordingFile', 'find_format']
