"""Frames of whole event recordings, for models of event data."""

from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.registry import DATASETS

from mmsnn.datasets.events.detection.recordings import busiest_window, read_recording
from mmsnn.datasets.transforms import FrameLoader
from mmsnn.utils.preflight import find_class, innermost_dataset


class LoadRecording:
    """Loads a recording as the frames that a config's own loader makes.

    Detectors get the window with the most events, of the length of the config's data
    set; classifiers get the whole recording.

    Args:
        cfg: A full config.
        loader: The loader of its test pipeline.
        max_events: Largest number of events; None is no limit.
    """

    def __init__(
        self, cfg: Config, loader: FrameLoader, max_events: int | None
    ) -> None:
        dataset = innermost_dataset(cfg.test_dataloader.dataset)
        class_: Any = find_class(DATASETS, dataset.type, cfg.get('default_scope'))
        self.size: tuple[int, int] = class_.image_size()
        default = getattr(class_, 'DURATION', None)
        self.duration: int | None = dataset.get('duration', default)
        self.loader = loader
        self.max_events = max_events

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return the results with the frames of the recording at ``img_path``.

        Raises:
            UserError: If it is not a recording, is damaged or has too many events.
        """
        path = Path(results['img_path'])
        events = read_recording(path, self.size, self.max_events)
        height, width = self.size
        # the file is no image, as which pipelines check it
        results = dict(results, img_path='', height=height, width=width)
        if self.duration is not None:
            window = busiest_window(events, self.duration)
            first, last = np.searchsorted(events['t'], window)
            events = {name: values[first:last] for name, values in events.items()}
            results |= dict(window=window, event_time=window[1])
        frames = self.loader.integrate(results, events)
        return self.loader.add_frames(results, frames)


__all__ = ['LoadRecording']
