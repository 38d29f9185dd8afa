"""Integrates events to frames and keeps the frames on disk."""

import json
import logging
import os
import secrets
import time
from pathlib import Path

import numpy as np
from mmengine.logging import print_log

from mmsnn.utils.errors import UserError, first_line

from .files import EventFile
from .readers import import_spikingjelly, read_events
from .values import SENSOR_SIZE, Events, check_events

CACHE_FOLDER = 'event_frames'
"""Folder in a data set's own for its frames, unless another is asked for."""

# To be raised with every change of what frames the same events give.
_VERSION = 2
_METHOD = 'number'
# Seconds after which nobody can still be writing a file; a write takes far below one.
_STALE = 3600.0
# Share of a sample's window without events at its end from which its file is reported.
_MAX_MISSING = 0.01


def integrate(events: Events, num_steps: int, name: str) -> np.ndarray:
    """Count the events of each pixel in slices of equal numbers of events.

    With N events, slice j of T has events ``[j * (N // T), (j + 1) * (N // T))`` and
    the last one all that remain (Fang et al. 2021, *Incorporating learnable membrane
    time constant*, Section 4.1, the pre-processing of the SEW and SG papers).

    Args:
        events: The events of a sample, see :func:`.values.check_events`.
        num_steps: Number of slices T.
        name: Of the sample, for messages.

    Returns:
        ``[T, 2, H, W]``, H and W those of the sensor, in the smallest unsigned type:
        the numbers of events by slice, polarity, row and column.

    Raises:
        UserError: If there are fewer events than slices, or values that they cannot
            have, such as coordinates outside the sensor.
    """
    height, width = SENSOR_SIZE
    try:
        events = check_events(events)
    except ValueError as error:
        raise UserError(f'{name} cannot be integrated: {error}') from error
    number = len(events['t'])
    if number < num_steps:
        raise UserError(
            f'{name} has {number} events, which cannot be divided between '
            f'num_steps={num_steps} frames'
        )
    frames = import_spikingjelly('utils').integrate_events_by_fixed_frames_number(
        events, _METHOD, num_steps, height, width
    )
    return frames.astype(np.min_scalar_type(int(frames.max())))


def integrate_sample(
    file: EventFile, key: str, events: Events, num_steps: int
) -> np.ndarray:
    """Integrate one sample of a file whose events were read; see :func:`integrate`."""
    window = file.samples[key].window
    name = f'event file {file.path!r}'
    if window is not None:
        begin, end = window
        missing = end - int(events['t'][-1])
        if missing > _MAX_MISSING * (end - begin):
            print_log(
                f'{name} ends {missing} us before its sample from {begin} to {end} us '
                'does: it may have been cut off',
                logger='current',
                level=logging.WARNING,
            )
        inside = (events['t'] >= begin) & (events['t'] < end)
        events = {axis: values[inside] for axis, values in events.items()}
        name += f' from {begin} to {end} us'
    return integrate(events, num_steps, name)


class FrameCache:
    """Frames of a data set's samples for one T, a file each.

    A file is written under a name of its own and then renamed: it is there whole or not
    at all, and of two processes that make the same one, either's stays. Whatever cannot
    be read, or was made from a source file of another name, size or window, is made
    again. So preparing may stop at any time and go on later.

    Args:
        root: Folder for all data sets and T.
        dataset: Name of the data set.
        num_steps: Number of frames T.

    Attributes:
        folder: Folder of this data set, T, way of integrating and version.
    """

    def __init__(
        self, root: str | os.PathLike[str], dataset: str, num_steps: int
    ) -> None:
        self.num_steps = num_steps
        self.folder = Path(root) / dataset / f'{_METHOD}-{num_steps}_v{_VERSION}'

    def load(self, file: EventFile, key: str) -> np.ndarray:
        """Return the frames of a sample, ``[T, 2, H, W]`` unsigned integers.

        Where they have to be made, those of the file's other samples that are not there
        are made as well: reading a recording costs far more than integrating it.

        Raises:
            UserError: If the source file is damaged or frames cannot be written.
        """
        frames = self._read(file, key)
        if frames is not None:
            return frames
        events = read_events(file.path, file.layout)
        frames = integrate_sample(file, key, events, self.num_steps)
        self._write(file, key, frames)
        for other in file.samples:
            if not self._path(other).exists():
                made = integrate_sample(file, other, events, self.num_steps)
                self._write(file, other, made)
        return frames

    def prepare(self, file: EventFile) -> int:
        """Make the frames of all samples of a file that are not there or are damaged.

        Returns:
            How many were made.

        Raises:
            UserError: If the source file is damaged or frames cannot be written.
        """
        missing = [key for key in file.samples if self._read(file, key) is None]
        if missing:
            events = read_events(file.path, file.layout)
        for key in missing:
            self._write(file, key, integrate_sample(file, key, events, self.num_steps))
        return len(missing)

    def remove_stale(self) -> None:
        """Remove what processes that were killed in the middle of a write left."""
        for part in self.folder.rglob('*.part'):
            if time.time() - part.stat().st_mtime > _STALE:
                part.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self.folder / f'{key}.npz'

    def _read(self, file: EventFile, key: str) -> np.ndarray | None:
        """Return the frames of a sample if they are there, whole and up to date."""
        try:
            with np.load(self._path(key), allow_pickle=False) as entry:
                origin, frames = str(entry['origin']), entry['frames']
        except Exception:
            # Whatever is wrong with it, it is made anew.
            return None
        shape = (self.num_steps, 2, *SENSOR_SIZE)
        known = (
            frames.shape == shape
            and frames.dtype.kind == 'u'
            and origin == _describe_origin(file, key)
        )
        return frames if known else None

    def _write(self, file: EventFile, key: str, frames: np.ndarray) -> None:
        path = self._path(key)
        part = path.with_name(f'{path.name}.{os.getpid()}-{secrets.token_hex(4)}.part')
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with part.open('xb') as target:
                    np.savez_compressed(
                        target, frames=frames, origin=_describe_origin(file, key)
                    )
                os.replace(part, path)
            except BaseException:
                part.unlink(missing_ok=True)
                raise
        except OSError as error:
            raise UserError(
                f'frames cannot be written to {str(path)!r} ({error}): give another '
                'cache_dir, or use_cache=False to LoadEventFrames'
            ) from error


def _describe_origin(file: EventFile, key: str) -> str:
    """Return what the frames of a sample are made from, as text.

    The size tells a file that was fetched again from the one that was cut off; a time
    of change would not survive a copy of the data set.

    Raises:
        UserError: If the file is missing.
    """
    try:
        size = os.stat(file.path).st_size
    except OSError as error:
        raise UserError(
            f'event file {file.path!r} cannot be read: {first_line(error)}'
        ) from error
    window = file.samples[key].window
    return json.dumps([os.path.basename(file.path), size, window])
