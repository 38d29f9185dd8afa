"""Integration of events to frames, and the cache of frames on disk."""

import contextlib
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
"""Default subfolder of a data set's folder for cached frames."""

# Increment whenever the frames of the same events change.
_VERSION = 2
_METHOD = 'number'
# Age in seconds above which a temporary file is a leftover: writes take less than 1 s.
_STALE = 3600.0
# Share of a sample's window without events at its end above which a warning is logged.
_MAX_MISSING = 0.01


def integrate(events: Events, num_steps: int, name: str) -> np.ndarray:
    """Count the events per pixel in slices with equal numbers of events.

    With N events, slice j of T has events ``[j * (N // T), (j + 1) * (N // T))``; the
    last slice also has all remaining events (Fang et al. 2021, *Incorporating learnable
    membrane time constant*, Section 4.1; the pre-processing of the SEW and SG papers).

    Args:
        events: The events of a sample, see :func:`.values.check_events`.
        num_steps: Number of slices T.
        name: Name of the sample for messages.

    Returns:
        Number of events per slice, polarity, row and column, ``[T, 2, H, W]``, in the
        smallest unsigned integer type. H and W are the sensor's height and width.

    Raises:
        UserError: If there are fewer events than slices or events have invalid values,
            such as coordinates outside the sensor.
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
    """Integrate one sample of a file given the file's events, see :func:`integrate`."""
    window = file.samples[key].window
    name = f'event file {file.path!r}'
    if window is not None:
        begin, end = window
        missing = end - int(events['t'][-1])
        if missing > _MAX_MISSING * (end - begin):
            print_log(
                f'{name} ends {missing} us before the end of its sample from {begin} '
                f'to {end} us: it may have been cut off',
                logger='current',
                level=logging.WARNING,
            )
        inside = (events['t'] >= begin) & (events['t'] < end)
        events = {axis: values[inside] for axis, values in events.items()}
        name += f' from {begin} to {end} us'
    return integrate(events, num_steps, name)


class FrameCache:
    """Cache of a data set's frames for one number of frames T, one file per sample.

    A file is written under a unique temporary name and then renamed, so it is always
    complete, also if several processes write the same one. Frames are recomputed if
    their file cannot be read or was made from a source file with another name, size or
    window. Preparation can therefore be interrupted and continued at any time.

    Args:
        root: Folder of the caches of all data sets and T.
        dataset: Name of the data set.
        num_steps: Number of frames T.

    Attributes:
        folder: Folder for this data set, T, integration method and version.
    """

    def __init__(
        self, root: str | os.PathLike[str], dataset: str, num_steps: int
    ) -> None:
        self.num_steps = num_steps
        self.folder = Path(root) / dataset / f'{_METHOD}-{num_steps}_v{_VERSION}'

    def load(self, file: EventFile, key: str) -> np.ndarray:
        """Return the frames of a sample, ``[T, 2, H, W]`` unsigned integers.

        If they are not cached, missing frames of the file's other samples are computed
        as well, because reading a recording takes far longer than integrating it.

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
                try:
                    made = integrate_sample(file, other, events, self.num_steps)
                except UserError:
                    continue  # raised when that sample is loaded
                self._write(file, other, made)
        return frames

    def prepare(self, file: EventFile) -> int:
        """Compute all frames of a file that are missing or damaged.

        Returns:
            The number of samples whose frames were computed.

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
        """Remove temporary files of processes that were killed while writing."""
        for part in self.folder.rglob('*.part'):
            # another process may rename or remove it meanwhile
            with contextlib.suppress(FileNotFoundError):
                if time.time() - part.stat().st_mtime > _STALE:
                    part.unlink()

    def _path(self, key: str) -> Path:
        return self.folder / f'{key}.npz'

    def _read(self, file: EventFile, key: str) -> np.ndarray | None:
        """Return the frames of a sample if they are cached, intact and up to date."""
        try:
            with np.load(self._path(key), allow_pickle=False) as entry:
                origin, frames = str(entry['origin']), entry['frames']
        except Exception:
            # The frames are recomputed, whatever the error is.
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
    """Return a description of the source of a sample's frames.

    It includes the file size, which differs if a truncated file is replaced. A
    modification time would change when the data set is copied.

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
