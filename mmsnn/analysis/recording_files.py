"""Frames of whole event recordings, for models of event data."""

from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.registry import DATASETS

from mmsnn.datasets.events.detection.recordings import busiest_window, read_recording
from mmsnn.datasets.events.values import SENSOR_SIZE
from mmsnn.utils.preflight import find_class, innermost_dataset


class LoadRecording:
    """Loads a recording as the frames that a config's own first transform makes.

    Detectors get the window with the most events, of the length of the config's data
    set; classifiers get the whole recording.

    Args:
        cfg: A full config.
        transform: The first transform of its test pipeline, which has ``add_frames``.
        max_events: Largest number of events; None is no limit.
    """

    def __init__(self, cfg: Config, transform: Any, max_events: int | None) -> None:
        self.size = sensor_size(cfg)
        dataset = innermost_dataset(cfg.test_dataloader.dataset)
        default = getattr(_dataset_class(cfg), 'DURATION', None)
        self.duration: int | None = dataset.get('duration', default)
        self.transform = transform
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
        found: dict[str, Any] = self.transform.add_frames(results, events)
        return found


def sensor_size(cfg: Config) -> tuple[int, int]:
    """Return height and width of the sensor of the config's data set in pixels."""
    size: tuple[int, int] = getattr(_dataset_class(cfg), 'SENSOR_SIZE', SENSOR_SIZE)
    return size


def _dataset_class(cfg: Config) -> type | None:
    dataset = innermost_dataset(cfg.test_dataloader.dataset)
    return find_class(DATASETS, dataset.type, cfg.get('default_scope'))


__all__ = ['LoadRecording', 'sensor_size']
