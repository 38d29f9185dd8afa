"""RVT's preprocessed recordings: histograms of events in HDF5, and their labels.

The layout of Gehrig and Scaramuzza 2023, *Recurrent vision transformers for object
detection with event cameras*, of a recording::

    event_representations_v2/stacked_histogram_dt=50_nbins=10/
        event_representations.h5              or event_representations_ds2_nearest.h5
        timestamps_us.npy
        objframe_idx_2_repr_idx.npy
    labels_v2/labels.npz
"""

import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from mmsnn.utils.errors import UserError, reason_of

from .box_files import to_boxes

BINS = 10
"""Number of bins of a histogram."""
DURATION = 50_000
"""Duration of a histogram in microseconds."""
REPRESENTATION = (
    f'event_representations_v2/stacked_histogram_dt={DURATION // 1000}_nbins={BINS}'
)
"""Folder of the histograms in that of a recording."""
LABELS = 'labels_v2/labels.npz'
"""File of the labels in the folder of a recording."""

_EXPECTED = (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error)


class HistogramFile:
    """A recording as histograms, which are loaded when they are read.

    The file has the array ``data`` ``[N, 2 * 10, H, W]`` of numbers of events, uint8;
    the first ten channels are the bins of OFF events, the others those of ON events. It
    is opened for each reading, which takes 0.1 ms, so that no open file is passed on to
    the processes of a data loader.

    Args:
        path: The file.
        size: Height and width of the histograms in pixels.

    Attributes:
        path: The file.
        times: End of each histogram in microseconds, ``[N]``.

    Raises:
        UserError: If a file is missing, damaged or has other contents, or h5py or
            hdf5plugin is not installed.
    """

    def __init__(self, path: str | os.PathLike[str], size: tuple[int, int]) -> None:
        self.path = Path(path)
        self.size = size
        self.times = _read_times(self.path)

    def check(self, label_times: np.ndarray) -> None:
        """Check the file, and that a histogram ends at each labelled time.

        Args:
            label_times: Times of the labels in microseconds, in temporal order.

        Raises:
            UserError: If the file is damaged or a histogram is missing.
        """
        path = self.path.with_name('objframe_idx_2_repr_idx.npy')
        frames = _read_indices(path)
        in_range = (frames >= 0) & (frames < len(self.times))
        if not in_range.all() or not np.array_equal(self.times[frames], label_times):
            raise UserError(
                f'file {str(path)!r} cannot be used: it must be the index of the '
                f'histogram that ends at each of the {len(label_times)} labelled times'
            )
        with self._open():
            pass

    def read(self, window: tuple[int, int]) -> np.ndarray:
        """Return the histograms of a window, ``[n, 2 * 10, H, W]``, uint8.

        Args:
            window: Begin and end in microseconds; a histogram must end within 25 ms of
                its end, since RVT's histograms are only about 50 ms apart.

        Raises:
            UserError: If the window is not in the recording, or the file is damaged.
        """
        begin, end = window
        stop = int(np.searchsorted(self.times, end + DURATION // 2, 'right'))
        first = stop - round((end - begin) / DURATION)
        late = not stop or end - self.times[stop - 1] > DURATION // 2
        if late or not 0 <= first < stop:
            raise self._unusable(f'it has no histograms from {begin} to {end} us')
        with self._open() as data:
            histograms: np.ndarray = data[first:stop]
        return histograms

    @contextmanager
    def _open(self) -> Iterator[Any]:
        h5py = _import_h5py()
        try:
            if not self.path.is_file():
                # opening a pipe would block forever
                raise ValueError('it does not exist or is not a regular file')
            with h5py.File(self.path, 'r') as file:
                data = file.get('data')
                if not isinstance(data, h5py.Dataset):
                    raise ValueError("it lacks the array 'data'")
                expected = (len(self.times), 2 * BINS, *self.size)
                if data.shape != expected or data.dtype != np.uint8:
                    raise ValueError(
                        f'data must be uint8 {list(expected)}, but is {data.dtype} '
                        f'{list(data.shape)}'
                    )
                yield data
        except _EXPECTED as error:
            raise self._unusable(reason_of(error)) from error

    def _unusable(self, reason: str) -> UserError:
        return UserError(
            f'event file {str(self.path)!r} cannot be read as RVT histograms: '
            f'{reason}; get or extract it again'
        )


def recorded_span(path: Path) -> tuple[int, int]:
    """Return the first and the last microsecond, of a duration in multiples of 50 ms.

    Raises:
        UserError: If the file of times is missing or damaged.
    """
    times = _read_times(path)
    first = int(times[0]) - DURATION
    return first, first + round((times[-1] - first) / DURATION) * DURATION - 1


def _read_times(path: Path) -> np.ndarray:
    """Return the end of each histogram of a file in microseconds.

    Raises:
        UserError: If there are none, or they do not ascend.
    """
    file = path.with_name('timestamps_us.npy')
    times = _read_indices(file)
    if not len(times) or not (np.diff(times) > 0).all():
        problem = 'its times run back' if len(times) else 'it is empty'
        raise UserError(f'file {str(file)!r} cannot be used: {problem}')
    return times


def read_histograms(
    path: Path,
    window: tuple[int, int],
    num_steps: int,
    num_bins: int,
    size: tuple[int, int],
) -> np.ndarray:
    """Return the frames of a window.

    They are those of :func:`mmsnn.datasets.events.detection.count_events`. Adjacent
    bins are summed if the window has more than ``num_steps * num_bins``.

    Raises:
        UserError: If the window's bins cannot be divided equally, or a file is missing
            or damaged.
    """
    stored = HistogramFile(path, size).read(window)
    slices = num_steps * num_bins
    if len(stored) * BINS % slices:
        raise UserError(
            f'the {len(stored) * BINS} bins of a window of {window[1] - window[0]} us '
            f'must be a multiple of num_steps * num_bins = {num_steps} * {num_bins}'
        )
    # the file has polarities first
    bins = stored.reshape(-1, 2, BINS, *size).swapaxes(1, 2)
    counts = bins.reshape(slices, -1, 2, *size).sum(1, dtype=np.float32)
    return counts.reshape(num_steps, 2 * num_bins, *size)


def read_labels(path: Path) -> np.ndarray:
    """Read the boxes of a recording, of dtype :data:`.box_files.BOX`.

    Raises:
        UserError: If the file cannot be read, or has no valid boxes; see ``to_boxes``.
    """
    try:
        with path.open('rb') as file, np.load(file, allow_pickle=False) as content:
            return to_boxes(content['labels'])
    except (*_EXPECTED, TypeError) as error:
        raise UserError(
            f'box file {str(path)!r} cannot be used: {reason_of(error)}'
        ) from error


def _read_indices(path: Path) -> np.ndarray:
    """Read an array of whole numbers, ``[n]``.

    Raises:
        UserError: If it cannot be read or has another shape or type.
    """
    try:
        with path.open('rb') as file:
            values: np.ndarray = np.lib.format.read_array(file, allow_pickle=False)
        if values.ndim != 1 or values.dtype.kind not in 'iu':
            raise ValueError(
                f'it must have one dimension of whole numbers, but has '
                f'{values.dtype} {list(values.shape)}'
            )
    except _EXPECTED as error:
        raise UserError(
            f'file {str(path)!r} cannot be used: {reason_of(error)}'
        ) from error
    return values.astype(np.int64)


def _import_h5py() -> Any:
    """Import h5py, and the decompression that the files need.

    Raises:
        UserError: If one of them is not installed.
    """
    try:
        import h5py
        import hdf5plugin  # noqa: F401
    except ImportError as error:
        raise UserError(
            f"{error.name} is not installed: pip install 'mmsnn[rvt]'"
        ) from error
    return h5py


__all__ = [
    'BINS',
    'DURATION',
    'HistogramFile',
    'read_histograms',
    'read_labels',
    'recorded_span',
]
