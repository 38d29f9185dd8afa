"""Detections in COCO's result format, written while they arrive."""

import json
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from .detector import Detection

RESULTS, IMAGES = 'results.json', 'images.json'


class CocoResults:
    """Context manager that writes detections in COCO's result format.

    ``results.json`` is a list with ``image_id``, ``category_id``, ``bbox`` (left, top,
    width, height in pixels) and ``score`` of each box. ``images.json`` holds what the
    ids mean in COCO's annotation format: ``images`` with ``id``, ``file_name``,
    ``width``, ``height`` and, for a frame of a video or camera, ``frame``, its number
    from 0; and ``categories``, whose ids are the labels of the model from 1. For a
    window of events, images have ``begin_us`` and ``end_us`` as well, and boxes
    ``time_us``, its end, in microseconds of the recording. So
    ``COCO('images.json').loadRes('results.json')`` reads both. They replace older files
    on exit, also after an interruption, with what has been detected by then.

    Args:
        folder: Where to write; created if it does not exist.
        classes: Names of the labels.
    """

    def __init__(self, folder: Path, classes: Sequence[str]) -> None:
        self.folder = folder
        self.num_images = 0
        self._categories = [
            dict(id=number, name=name) for number, name in enumerate(classes, 1)
        ]
        self._files: dict[str, TextIO] = {}
        self._empty = dict.fromkeys((RESULTS, IMAGES), True)

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in (RESULTS, IMAGES):
            self._files[name] = self._temporary(name).open('w', encoding='utf-8')
        self._files[RESULTS].write('[')
        categories = json.dumps(self._categories)
        self._files[IMAGES].write(f'{{"categories": {categories}, "images": [')
        return self

    def add(self, detection: Detection) -> None:
        """Write the boxes of the next picture."""
        self.num_images += 1
        height, width = detection.pixels.shape[:2]
        image: dict[str, Any] = dict(
            id=self.num_images,
            file_name=str(detection.source),
            width=width,
            height=height,
        )
        if detection.frame is not None:
            image['frame'] = detection.frame
        time: dict[str, int] = {}
        if detection.window is not None:
            image['begin_us'], image['end_us'] = detection.window
            time = dict(time_us=detection.window[1])
        self._write(IMAGES, image)
        instances = detection.instances
        for box, label, score in zip(
            instances.bboxes.tolist(),
            instances.labels.tolist(),
            instances.scores.tolist(),
            strict=True,
        ):
            left, top, right, bottom = box
            result = dict(
                image_id=self.num_images,
                category_id=label + 1,
                bbox=[left, top, right - left, bottom - top],
                score=score,
                **time,
            )
            self._write(RESULTS, result)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for name, end in ((RESULTS, '\n]\n'), (IMAGES, '\n], "annotations": []}\n')):
            self._files[name].write(end)
            self._files[name].close()
            self._temporary(name).replace(self.folder / name)

    def _write(self, name: str, entry: dict[str, Any]) -> None:
        separator = '\n' if self._empty[name] else ',\n'
        self._empty[name] = False
        self._files[name].write(separator + json.dumps(entry))

    def _temporary(self, name: str) -> Path:
        return self.folder / f'.{name}.tmp'


__all__ = ['IMAGES', 'RESULTS', 'CocoResults']
