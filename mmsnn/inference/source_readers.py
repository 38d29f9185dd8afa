"""Readers of sources: the pictures, frames or windows of events for a detector."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import TRANSFORMS

from mmsnn.datasets.events.detection import find_format
from mmsnn.datasets.events.detection.base import EventDetectionDataset
from mmsnn.datasets.guarded_pipeline import GuardedPipeline
from mmsnn.datasets.transforms import LoadEventWindow
from mmsnn.utils import check_positive_int
from mmsnn.utils.class_checks import datasets_of
from mmsnn.utils.config_types import class_name
from mmsnn.utils.errors import UserError
from mmsnn.utils.preflight import find_class, innermost_dataset

from .picture_sources import Source, Stream


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture, or a window of events, that the test pipeline has prepared.

    Attributes:
        source: Where it is from.
        frame: Number of the frame in a video, camera stream or recording, from 0; None
            for images and recordings of a single window.
        pixels: The picture before the pipeline resizes it, BGR ``uint8 [H, W, 3]``; of
            a window, the numbers of OFF and ON events, ``[H, W, 2]``.
        window: Begin (inclusive) and end (exclusive) of a window in microseconds.
        sample: What the pipeline packs: ``inputs`` and ``data_samples``.
    """

    source: Source
    frame: int | None
    pixels: np.ndarray
    window: tuple[int, int] | None
    sample: Mapping[str, Any]


class SourceReader(ABC):
    """Reads sources with the first transform of a test pipeline, then applies the rest.

    Args:
        steps: Configs of the transforms after the first one.

    Attributes:
        unit: What is read, in plural, for messages.
        fps: Rate of the current source in frames per second.
    """

    unit = 'pictures'
    fps = 0.0

    def __init__(self, steps: Sequence[Mapping[str, Any]]) -> None:
        self._rest = _build(steps)

    @abstractmethod
    def read(self, source: Source) -> Iterator[Picture]:
        """Yield the pictures of a source when they are needed, one at a time.

        Raises:
            UserError: If the source cannot be read, possibly after some pictures.
        """

    @abstractmethod
    def blank(self) -> Mapping[str, Any]:
        """Return the sample of an empty picture."""

    def count(self, sources: Sequence[Source]) -> int | None:
        """Return the number of pictures in the sources, None if it is unknown."""
        return len(sources) if {s.kind for s in sources} == {'image'} else None


class PictureReader(SourceReader):
    """Reads images, videos and cameras; the first transform is LoadImageFromFile."""

    def __init__(self, steps: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(steps[1:])
        # errors of OpenCV are reported by GuardedPipeline
        cv2.setLogLevel(0)
        self._file = _build(steps[:1])
        self._array = _build([{**steps[0], 'type': 'mmdet.LoadImageFromNDArray'}])

    def read(self, source: Source) -> Iterator[Picture]:
        """Yield the picture of an image file, or the frames of a video or camera."""
        if source.kind == 'image':
            loaded = _apply(self._file, dict(img_path=str(source.place), img_id=0))
            yield self._prepare(source, None, loaded)
            return
        stream = Stream(source)
        self.fps = stream.fps
        for number, pixels in enumerate(stream):
            yield self._prepare(source, number, self._from_array(pixels))

    def blank(self) -> Mapping[str, Any]:
        """Return the sample of a black picture."""
        loaded = self._from_array(np.zeros((64, 64, 3), np.uint8))
        return _apply(self._rest, loaded)

    def _from_array(self, pixels: np.ndarray) -> dict[str, Any]:
        return {**_apply(self._array, dict(img=pixels, img_id=0)), 'img_path': ''}

    def _prepare(
        self, source: Source, number: int | None, loaded: dict[str, Any]
    ) -> Picture:
        pixels = _to_bgr(loaded['img'])
        return Picture(source, number, pixels, None, _apply(self._rest, loaded))


class WindowReader(SourceReader):
    """Cuts recordings of events into windows; the first transform is LoadEventWindow.

    The windows follow each other from the first event on. A remainder shorter than half
    a window is left out, as is any remainder if the format only has whole windows.

    Args:
        steps: Configs of all transforms.
        duration: Length of the loader's window in microseconds.
        sensor_size: Height and width of the sensor in pixels.
        single_frames: Whether each of the loader's T frames is a window of its own.
    """

    unit = 'windows'

    def __init__(
        self,
        steps: Sequence[Mapping[str, Any]],
        duration: int,
        sensor_size: tuple[int, int],
        single_frames: bool = False,
    ) -> None:
        super().__init__(steps[1:])
        self._loader = TRANSFORMS.build(dict(steps[0]))
        self._size = sensor_size
        self._duration, self._parts = check_positive_int('duration', duration), 1
        if single_frames:
            self.unit = 'frames'
            self._parts = self._loader.num_steps
            self._loader = TRANSFORMS.build({**steps[0], 'num_steps': 1})

    def read(self, source: Source) -> Iterator[Picture]:
        """Yield the windows of a recording."""
        path, parts, loader = Path(str(source.place)), self._parts, self._loader
        read_frames = find_format(path).frames
        self.fps = 1e6 * parts / self._duration
        first, windows = self._windows(path)
        for number in range(windows):
            begin = first + number * self._duration // parts
            end = first + (number + 1) * self._duration // parts
            frames = read_frames(
                path, (begin, end), loader.num_steps, loader.num_bins, self._size
            )
            off_on = frames.reshape(-1, 2, *self._size).sum(0).transpose(1, 2, 0)
            sample = self._pack(frames, end, str(path))
            frame = number if windows > 1 else None
            yield Picture(source, frame, off_on, (begin, end), sample)

    def blank(self) -> Mapping[str, Any]:
        """Return the sample of a window without events."""
        shape = (self._loader.num_steps, 2 * self._loader.num_bins, *self._size)
        return self._pack(np.zeros(shape, np.float32), 0, '')

    def count(self, sources: Sequence[Source]) -> int | None:
        """Return the number of windows."""
        return sum(self._windows(Path(str(s.place)))[1] for s in sources)

    def _windows(self, path: Path) -> tuple[int, int]:
        """Return the begin of the first window, and their number."""
        file = find_format(path)
        first, last = file.span(path)
        number = (last + 1 - first) * self._parts / self._duration
        return first, max(1, int(number) if file.whole_windows else round(number))

    def _pack(self, frames: np.ndarray, time: int, name: str) -> Mapping[str, Any]:
        results = dict(img_id=0, recording=name, event_time=time)
        return _apply(self._rest, self._loader.add_frames(results, frames))


def reads_events(cfg: Config) -> bool:
    """Return whether a config's test pipeline loads windows of events."""
    class_ = find_class(TRANSFORMS, _test_steps(cfg)[0].get('type'), None)
    return class_ is not None and issubclass(class_, LoadEventWindow)


def make_reader(cfg: Config, single_frames: bool = False) -> SourceReader:
    """Return the reader for a config's test pipeline.

    Args:
        cfg: A full config of a detector.
        single_frames: Whether windows of events are read frame by frame.

    Raises:
        UserError: If the pipeline loads something else than pictures or windows of
            events, or its test set is not one of events.
    """
    steps = _test_steps(cfg)
    if class_name(steps[0]) == 'LoadImageFromFile':
        return PictureReader(steps)
    if not reads_events(cfg):
        raise UserError(
            f'the test pipeline of config {cfg.filename!r} must begin with '
            'LoadImageFromFile, to be applied to pictures, or with '
            'LoadEventWindow, to be applied to recordings of events'
        )
    for where, dataset, class_ in datasets_of(cfg, 'test'):
        if not issubclass(class_, EventDetectionDataset):
            raise UserError(
                f'{where} of config {cfg.filename!r} must be an EventDetectionDataset, '
                f'which states sensor and window, but is {class_.__name__}'
            )
        duration = dataset.get('duration', class_.DURATION)
        return WindowReader(steps, duration, class_.image_size(), single_frames)
    raise UserError(f'config {cfg.filename!r} has no test set of a known type')


def _test_steps(cfg: Config) -> list[Mapping[str, Any]]:
    """Return the test pipeline without the loading of annotations."""
    loader: Any = cfg.get('test_dataloader')
    steps = innermost_dataset(loader.dataset).get('pipeline') if loader else None
    return [s for s in steps or () if 'Annotations' not in class_name(s)] or [{}]


def _build(steps: Sequence[Mapping[str, Any]]) -> GuardedPipeline:
    return GuardedPipeline(Compose([TRANSFORMS.build(step) for step in steps]))


def _apply(pipeline: GuardedPipeline, results: dict[str, Any]) -> dict[str, Any]:
    """Return what a pipeline makes of a picture.

    Raises:
        UserError: If it fails or leaves the picture out.
    """
    done = pipeline(results)
    if done is None:
        raise UserError('it is left out by the test pipeline')
    return done


def _to_bgr(image: np.ndarray) -> np.ndarray:
    """Return a copy of a loaded image for drawing, ``uint8 [H, W, 3]``."""
    pixels = image.reshape(*image.shape[:2], -1)
    copied = np.array(pixels.clip(0, 255), dtype=np.uint8)
    return copied[..., :3] if copied.shape[2] >= 3 else copied[..., [0, 0, 0]]


__all__ = ['Picture', 'SourceReader', 'make_reader', 'reads_events']
