"""Sources of pictures: image files, videos, cameras and recordings of events."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from mmsnn.analysis.image_sources import SUFFIXES
from mmsnn.datasets.events.detection import RECORDING_FILES, find_format
from mmsnn.utils.errors import UserError

Kind = Literal['image', 'video', 'camera', 'events']
VIDEO_SUFFIXES = ('.avi', '.m4v', '.mkv', '.mov', '.mp4', '.mpeg', '.mpg', '.webm')
# Assumed for videos and cameras that do not state their rate.
DEFAULT_FPS = 25.0
# The number of frames in a video's header is an estimate.
_WHOLE = 0.95


@dataclass(frozen=True)
class Source:
    """An image file, a video file, a camera or a recording of events.

    Attributes:
        kind: Which of them.
        place: The file, or the index of the camera.
        name: Unique relative path for the output: that of the file in its folder.
    """

    kind: Kind
    place: Path | int
    name: str

    def __str__(self) -> str:
        return f'camera {self.place}' if self.kind == 'camera' else str(self.place)


def find_sources(
    words: Sequence[str], out_dir: Path, events: bool = False
) -> list[Source]:
    """Return the sources that words of a command line name.

    Args:
        words: Image files, videos, folders, whose subfolders are included, or numbers
            of cameras; for a model of events, recordings and folders. A file that is
            named several times is taken once.
        out_dir: Folder of the output, which is left out of folders.
        events: Whether the model detects in recordings of events.

    Raises:
        UserError: If a word names nothing or a kind of source that the model does not
            detect in, a folder contains no source, a file is in ``out_dir``, or a
            recording cannot be opened.
    """
    names: set[str] = set()
    places: set[Path | int] = set()
    sources = []
    for word in words:
        for place, name in _places(word, out_dir, events):
            known = place if isinstance(place, int) else place.resolve()
            if known not in places:
                places.add(known)
                kind = _kind(place, events)
                sources.append(Source(kind, place, _unique(name, kind, names)))
    return sources


def _places(word: str, out_dir: Path, events: bool) -> Iterator[tuple[Path | int, str]]:
    """Yield the files or the camera that a word names, with names for the output."""
    path = Path(word).expanduser()
    if path.is_dir():
        suffixes = (*RECORDING_FILES,) if events else (*SUFFIXES, *VIDEO_SUFFIXES)
        files = [
            file
            for file in sorted(path.rglob('*'))
            if file.suffix.lower() in suffixes
            and not file.is_dir()
            and not _is_in(file, out_dir)
        ]
        if not files:
            what = 'recording of events' if events else 'image or video'
            raise UserError(
                f'folder {word!r} holds no {what}: no file ends in '
                + ', '.join(suffixes)
            )
        # next to recordings in other formats, .npy files are labels
        files = [file for file in files if file.suffix != '.npy'] or files
        for file in files:
            yield file, str(file.relative_to(path))
    elif path.exists() or path.is_symlink():
        if _is_in(path, out_dir):
            raise UserError(
                f'{word!r} is in the folder of the results, {str(out_dir)!r}: choose '
                'another --out-dir'
            )
        yield path, path.name
    elif word.isdecimal():
        yield int(word), f'camera{int(word)}'
    else:
        raise UserError(
            f'{word!r} does not exist: it must be an image, a folder, a video, the '
            'number of a camera or a recording of events'
        )


def _is_in(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())


def _kind(place: Path | int, events: bool) -> Kind:
    """Return what a source is, after a check that the model detects in it."""
    if isinstance(place, int):
        if events:
            raise UserError(
                f'the model detects in recordings of events, but {place} is a camera'
            )
        return 'camera'
    if events:
        find_format(place).span(place)
        return 'events'
    if place.suffix.lower() in RECORDING_FILES:
        raise UserError(
            f'{str(place)!r} is a recording of events, but the model detects in '
            'pictures: name the config and checkpoint of a detector of events after it'
        )
    return 'video' if place.suffix.lower() in VIDEO_SUFFIXES else 'image'


def _unique(name: str, kind: Kind, names: set[str]) -> str:
    """Return the output's name, numbered if it is taken, and add it to ``names``.

    JPEG pictures stay JPEG; videos, cameras and recordings become MP4, everything else
    PNG.
    """
    path = Path(name)
    if kind != 'image':
        made = f'{path.with_suffix("")}.mp4'
    elif path.suffix.lower() in ('.jpg', '.jpeg', '.png'):
        made = name
    else:
        made = f'{name}.png'
    unique, number = made, 1
    while unique in names:
        number += 1
        unique = str(Path(made).with_stem(f'{Path(made).stem}_{number}'))
    names.add(unique)
    return unique


class Stream:
    """Frames of a video or camera, decoded one at a time by OpenCV.

    Args:
        source: A video or a camera.

    Raises:
        UserError: If it cannot be opened.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        camera = isinstance(source.place, int)
        self._capture = cv2.VideoCapture(
            source.place if camera else str(source.place)  # type: ignore[arg-type]
        )
        if not self._capture.isOpened():
            raise UserError(f'{source}: cannot be opened')
        stated = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.num_frames = int(stated) if stated > 0 and not camera else None
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps = fps if 0 < fps < 1000 else DEFAULT_FPS

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield the frames, BGR ``uint8 [H, W, 3]``.

        Raises:
            UserError: At the end, if there were no frames, or clearly fewer than the
                video's header states.
        """
        number = 0
        try:
            while True:
                read, frame = self._capture.read()
                if not read:
                    break
                number += 1
                yield frame
        finally:
            self._capture.release()
        if not number or (self.num_frames and number < _WHOLE * self.num_frames):
            of = f' of {self.num_frames}' if self.num_frames else ''
            raise UserError(f'{self.source}: only {number}{of} frames can be decoded')


__all__ = ['DEFAULT_FPS', 'VIDEO_SUFFIXES', 'Source', 'Stream', 'find_sources']
