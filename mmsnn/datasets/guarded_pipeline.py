"""Pipelines that check image files before decoding and name the files that fail.

An unreadable image raises an error with its path, also in a data loader's worker, or is
skipped if training allows skipping a number of images.
"""

import fcntl
import json
import os
import stat
from pathlib import Path
from typing import Any

import cv2
from mmengine.dataset import Compose
from mmengine.runner import Runner
from PIL import Image

from mmsnn.utils import check_positive_int
from mmsnn.utils.annotations import without_garbage_collection
from mmsnn.utils.errors import UserError, first_line


class BrokenImages:
    """List of the images that training skips, in a file shared by all processes.

    Args:
        path: The file, with one path per line, as JSON. Machines that do not share the
            file count separately.
        allowed: Maximum number of different images to skip.

    Raises:
        TypeError: If ``allowed`` is not an integer.
        ValueError: If ``allowed`` is less than 1.
    """

    def __init__(self, path: Path, allowed: int) -> None:
        self.path = path
        self.allowed = check_positive_int('allowed', allowed)

    def clear(self) -> None:
        """Remove the list of a previous training run."""
        self.path.unlink(missing_ok=True)

    def names(self) -> list[str]:
        """Return the images skipped so far."""
        if not self.path.exists():
            return []
        return [json.loads(line) for line in self.path.read_text('utf-8').splitlines()]

    def add(self, name: str) -> bool:
        """Add an image if the maximum is not reached; return whether to skip it.

        Raises:
            OSError: If the file cannot be written.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open('a+', encoding='utf-8') as file:
            # other processes wait here, then read the added line
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            names = [json.loads(line) for line in file]
            if name in names:
                return True
            if len(names) >= self.allowed:
                return False
            file.write(json.dumps(name) + '\n')
            return True


class GuardedPipeline(Compose):
    """A pipeline that checks image files first and names the files that fail.

    Args:
        pipeline: The transforms.
        broken: List of images to skip; None skips none.

    Raises:
        UserError: When called, if a sample with an ``img_path`` cannot be prepared.
    """

    def __init__(self, pipeline: Compose, broken: BrokenImages | None = None) -> None:
        super().__init__(pipeline.transforms)
        self.broken = broken

    def __call__(self, data: dict[str, Any]) -> dict[str, Any] | None:
        """Return the sample, or None if it is skipped."""
        path = data.get('img_path')
        if not isinstance(path, str) or not path:
            return super().__call__(data)
        problem, cause = '' if '://' in path else find_image_problem(path), None
        if not problem:
            try:
                return super().__call__(data)
            except Exception as error:
                # decoders and transforms raise various exceptions for broken images
                problem, cause = _describe(error, data), error
        if self.broken is None:
            raise UserError(f'image {path!r} {problem}') from cause
        if self.broken.add(path):
            return None
        raise UserError(
            f'image {path!r} {problem}; {self.broken.allowed} others, as many as '
            f'allowed, have been skipped: {self.broken.path} lists them'
        ) from cause


def find_image_problem(path: str) -> str:
    """Return why an image file must not be decoded, or ''.

    The file must be a regular file, because reading a FIFO would block forever, and its
    header must not state more pixels than Pillow allows: twice
    ``PIL.Image.MAX_IMAGE_PIXELS``, 178,956,970.
    """
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return 'does not exist'
    except (OSError, ValueError) as error:
        return f'cannot be read: {getattr(error, "strerror", None) or error}'
    if not stat.S_ISREG(status.st_mode):
        return 'is not a file'
    if not status.st_size:
        return 'is empty'
    try:
        Image.open(path).close()
    except Image.DecompressionBombError:
        return f'has more than {2 * (Image.MAX_IMAGE_PIXELS or 0):,} pixels'
    except Exception:
        # OpenCV reads formats that Pillow does not; the loader reports other files
        pass
    return ''


def _describe(error: Exception, data: dict[str, Any]) -> str:
    """Return the step that failed for a sample: decoding or a later transform."""
    if 'ori_shape' not in data:
        return f'cannot be decoded: {first_line(error)}'
    height, width = data['ori_shape'][:2]
    return f'({width}x{height} pixels) cannot be prepared: {first_line(error)}'


def guard_dataset(dataset: Any, broken: BrokenImages | None = None) -> None:
    """Guard the pipelines of a data set and of wrapped data sets, in place.

    Args:
        dataset: A data set or a data set wrapper of MMEngine.
        broken: List of images to skip in data sets that are not in test mode.
    """
    for child in (getattr(dataset, 'dataset', None), *getattr(dataset, 'datasets', ())):
        if child is not None:
            guard_dataset(child, broken)
    pipeline = getattr(dataset, 'pipeline', None)
    if isinstance(pipeline, Compose):
        # errors of OpenCV are reported by GuardedPipeline
        cv2.setLogLevel(0)
        skips = None if getattr(dataset, 'test_mode', False) else broken
        dataset.pipeline = GuardedPipeline(pipeline, skips)


def guard_runner(runner: Runner, broken: BrokenImages | None = None) -> None:
    """Guard all data sets that a runner builds.

    Args:
        runner: A runner whose loops are not built yet.
        broken: List of images to skip in the training set.
    """
    build = runner.build_dataloader

    def build_dataloader(*args: Any, **kwargs: Any) -> Any:
        with without_garbage_collection():
            loader = build(*args, **kwargs)
        guard_dataset(loader.dataset, broken)
        return loader

    runner.build_dataloader = build_dataloader


__all__ = [
    'BrokenImages',
    'GuardedPipeline',
    'find_image_problem',
    'guard_dataset',
    'guard_runner',
]
