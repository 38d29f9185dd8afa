"""Prophesee's ``.dat`` files of events, read by time window."""

import os
from bisect import bisect_left
from pathlib import Path

import numpy as np

from mmsnn.utils.atomic_files import write_atomically
from mmsnn.utils.errors import UserError, reason_of

from ..values import Events, check_events

COMMENT = b'% '
_EVENT = np.dtype([('t', '<u4'), ('packed', '<u4')])
_X_BITS = _Y_BITS = 14
_MASK = (1 << _X_BITS) - 1
_POLARITY_BIT = _X_BITS + _Y_BITS
_CHANGE_DETECTION = 12  # event type of files with changes of contrast


class DatFile:
    """A recording of a Prophesee camera, of which only the read windows are loaded.

    The file has comment lines that begin with ``%`` and a space, one byte each for the
    type and the size of an event, and events of 8 bytes: the time in microseconds (u4),
    and a word with the column (bits 0 to 13), the row (14 to 27) and the polarity (28).

    Args:
        path: The file.

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
            offset = _find_events(self.path)
            # pages are loaded when they are accessed
            self._events = np.memmap(self.path, _EVENT, 'r', offset)
        except (OSError, ValueError) as error:
            raise self._unusable(reason_of(error)) from error
        self._t = self._events['t']
        self.first, self.last = int(self._t[0]), int(self._t[-1])
        if self.last < self.first:
            raise self._unusable(
                f'its time runs back from {self.first} to {self.last} us: the clock '
                'was reset or overflowed'
            )

    def __len__(self) -> int:
        return len(self._events)

    def read(self, begin: int, end: int, sensor_size: tuple[int, int]) -> Events:
        """Return the events from ``begin`` (inclusive) to ``end`` (exclusive).

        Args:
            begin: Time in microseconds.
            end: Time in microseconds.
            sensor_size: Height and width of the sensor in pixels.

        Returns:
            Arrays ``t``, ``x``, ``y`` and ``p`` (0 or 1) of equal length, possibly 0.

        Raises:
            UserError: If the time runs back, or a coordinate is not on the sensor.
        """
        # searchsorted would read the whole file
        start, stop = bisect_left(self._t, begin), bisect_left(self._t, end)
        chosen = np.asarray(self._events[start:stop])
        packed = chosen['packed']
        events = {
            't': chosen['t'].astype(np.int64),
            'x': packed & _MASK,
            'y': packed >> _X_BITS & _MASK,
            'p': packed >> _POLARITY_BIT & 1,
        }
        t = events['t']
        outside = len(t) and (t.min() < begin or t.max() >= end)
        if outside or (t[1:] < t[:-1]).any():
            raise self._unusable(f'its time runs back between {begin} and {end} us')
        if not len(t):
            return events
        try:
            return check_events(events, sensor_size)
        except ValueError as error:
            raise self._unusable(f'{error}, after {begin} us') from error

    def _unusable(self, reason: str) -> UserError:
        return UserError(
            f'event file {str(self.path)!r} cannot be read as dat: {reason}; get or '
            'extract it again'
        )


def _find_events(path: Path) -> int:
    """Return the position of the first event."""
    if not path.is_file():
        # opening a pipe would block forever
        raise ValueError(
            'it is not a regular file' if path.exists() else 'it does not exist'
        )
    with path.open('rb') as file:
        position = file.tell()
        while file.readline(4096).startswith(COMMENT):
            position = file.tell()
        if position == 0:
            raise ValueError("it does not begin with a comment line, '% '")
        file.seek(position)
        kind = file.read(2)
    if len(kind) < 2 or kind[1] != _EVENT.itemsize:
        raise ValueError(f'its events must have 8 bytes, but its type is {kind!r}')
    size = path.stat().st_size - position - 2
    if size % _EVENT.itemsize:
        raise ValueError(
            f'it was cut off {size % _EVENT.itemsize} bytes into an event of 8'
        )
    if not size:
        raise ValueError('it has no events')
    return position + 2


def write_dat(
    path: str | os.PathLike[str], events: Events, sensor_size: tuple[int, int]
) -> None:
    """Write events as a ``.dat`` file, see :class:`DatFile`.

    Args:
        path: The file.
        events: Arrays ``t`` (microseconds), ``x``, ``y`` and ``p`` (0 or 1).
        sensor_size: Height and width of the sensor in pixels.

    Raises:
        ValueError: If the values of the events are invalid, or a time exceeds 32 bits.
    """
    events = check_events(events, sensor_size)
    if events['t'][-1] > np.iinfo(np.uint32).max:
        raise ValueError(
            f't must be below 2**32 us in a dat file, but is {events["t"][-1]}'
        )
    packed = np.empty(len(events['t']), _EVENT)
    packed['t'] = events['t']
    x, y, p = (events[name].astype(np.uint32) for name in 'xyp')
    packed['packed'] = x | y << _X_BITS | p << _POLARITY_BIT
    height, width = sensor_size
    header = (
        '% Data file containing Event2D events.\n'
        f'% Version 2\n% Height {height}\n% Width {width}\n'
    )
    kind = bytes([_CHANGE_DETECTION, _EVENT.itemsize])
    write_atomically(Path(path), header.encode() + kind + packed.tobytes())
