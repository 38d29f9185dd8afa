"""Loading of samples of event data sets as frames."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from mmsnn.datasets.events.files import EventFile
from mmsnn.datasets.events.frames import (
    CACHE_FOLDER,
    FrameCache,
    integrate,
    integrate_sample,
)
from mmsnn.datasets.events.readers import read_events
from mmsnn.datasets.events.values import Events
from mmsnn.registry import TRANSFORMS
from mmsnn.utils import check_bool, check_positive_int, describe

from .frame_loader import FrameLoader


@TRANSFORMS.register_module()
class LoadEventFrames(FrameLoader):
    """Loads the T frames of a sample from the cache, or integrates its events.

    ``frame[p, y, x]`` is the number of events with polarity p at column x and row y in
    a slice of the sample. Slices have equal numbers of events, see
    ``mmsnn.datasets.events.frames.integrate``.

    **Required keys:** event_file, event_key.

    **Added keys:** frames (float32 ``[T, 2, H, W]``), ori_shape and img_shape
    (``(H, W)``).

    Args:
        num_steps: Number of frames T.
        cache_dir: Folder of the cache; None uses ``event_frames`` in the data set's
            folder.
        use_cache: Whether to cache frames. Without the cache, a recording of DVS128
            Gesture is read again for each of its samples, which takes seconds.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If ``num_steps`` is less than 1, or, when called, if the file is
            damaged, has too few events, or frames cannot be written
            (:class:`~mmsnn.utils.errors.UserError`).
    """

    num_channels = 2

    def __init__(
        self,
        num_steps: int,
        cache_dir: str | os.PathLike[str] | None = None,
        use_cache: bool = True,
    ) -> None:
        self.num_steps = check_positive_int('num_steps', num_steps)
        if not isinstance(cache_dir, str | os.PathLike | None):
            raise TypeError(
                f'cache_dir must be a path or None, but got {describe(cache_dir)}'
            )
        self.cache_dir = cache_dir
        self.use_cache = check_bool('use_cache', use_cache)

    def integrate(self, results: dict[str, Any], events: Events) -> np.ndarray:
        """Return the frames of all events of a recording."""
        return integrate(events, self.num_steps, 'the recording')

    def load(self, results: dict[str, Any]) -> np.ndarray:
        """Return the frames of a sample, ``[T, 2, H, W]``."""
        file: EventFile = results['event_file']
        key = results['event_key']
        if not self.use_cache:
            events = read_events(file.path, file.layout)
            return integrate_sample(file, key, events, self.num_steps)
        root = self.cache_dir or Path(file.data_root, CACHE_FOLDER)
        return FrameCache(root, file.dataset, self.num_steps).load(file, key)

    def add_frames(self, results: dict[str, Any], frames: np.ndarray) -> dict[str, Any]:
        """Add frames and their size to the results."""
        results['frames'] = frames.astype(np.float32)
        results['ori_shape'] = results['img_shape'] = frames.shape[-2:]
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(num_steps={self.num_steps}, '
            f'cache_dir={self.cache_dir!r}, use_cache={self.use_cache})'
        )
