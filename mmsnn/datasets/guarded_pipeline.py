"""Pipelines that check image files before they are decoded, and name those that fail.

An image that cannot be read is an error with its name, also from a worker of a data
loader, or is skipped, if the training is told to skip some.
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
    """The images that a training skips, which all of its processes write to one file.

    Args:
        path: The file: a name in each line, as JSON. Machines that do not share it
            count their own.
        allowed: How many different images may be skipped.

    Raises:
        TypeError: If ``allowed`` is not an integer.
        ValueError: If it is less than 1.
    """

    def __init__(self, path: Path, allowed: int) -> None:
        self.path = path
        self.allowed = check_positive_int('allowed', allowed)

    def clear(self) -> None:
        """Remove the list of an earlier training."""
        self.path.unlink(missing_ok=True)

    def names(self) -> list[str]:
        """Return the images that have been skipped so far."""
        if not self.path.exists():
            return []
        return [json.loads(line) for line in self.path.read_text('utf-8').splitlines()]

    def add(self, name: str) -> bool:
        """Note an image, unless it is one too many; return whether it may be skipped.

        Raises:
            OSError: If the file cannot be written.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open('a+', encoding='utf-8') as file:
            # another process waits here, and then reads what this one adds
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
    """The transforms of a pipeline, around which files are checked and named.

    Args:
        pipeline: The transforms.
        broken: Skips images and notes them; None allows none.

    Raises:
        UserError: When a sample with an ``img_path`` cannot be prepared.
    """

    def __init__(self, pipeline: Compose, broken: BrokenImages | None = None) -> None:
        super().__init__(pipeline.transforms)
        self.broken = broken

    def __call__(self, data: dict[str, Any]) -> dict[str, Any] | None:
        """Return the sample, or None for one that is skipped."""
        path = data.get('img_path')
        if not isinstance(path, str) or not path:
            return super().__call__(data)
        problem, cause = '' if '://' in path else find_image_problem(path), None
        if not problem:
            try:
                return super().__call__(data)
            except Exception as error:
                # decoders and transforms raise anything at a broken image
                problem, cause = _describe(error, data), error
        if self.broken is None:
            raise UserError(f'image {path!r} {problem}') from cause
        if self.broken.add(path):
            return None
        raise UserError(
            f'image {path!r} {problem}; as many others as allowed, '
            f'{self.broken.allowed}, have been skipped: {self.broken.path} lists them'
        ) from cause


def find_image_problem(path: str) -> str:
    """Return why an image file must not be decoded, from its header, or ''.

    It must be a regular file, since a FIFO would wait for ever, and announce no more
    pixels than Pillow allows: twice ``PIL.Image.MAX_IMAGE_PIXELS``, 178,956,970.
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
        # OpenCV knows formats that Pillow does not; the loader says if it is none
        return ''
    return ''


def _describe(error: Exception, data: dict[str, Any]) -> str:
    """Return what failed at a sample: its decoding, or what follows."""
    if 'ori_shape' not in data:
        return f'cannot be decoded: {first_line(error)}'
    height, width = data['ori_shape'][:2]
    return f'({width}x{height} pixels) cannot be prepared: {first_line(error)}'


def guard_dataset(dataset: Any, broken: BrokenImages | None = None) -> None:
    """Guard the pipelines of a data set and of those that it wraps, in place.

    Args:
        dataset: A data set or a wrapper of MMEngine.
        broken: Skips images of data sets that are not in test mode.
    """
    for child in (getattr(dataset, 'dataset', None), *getattr(dataset, 'datasets', ())):
        if child is not None:
            guard_dataset(child, broken)
    pipeline = getattr(dataset, 'pipeline', None)
    if isinstance(pipeline, Compose):
        # its errors are ours to report
        cv2.setLogLevel(0)
        skips = None if getattr(dataset, 'test_mode', False) else broken
        dataset.pipeline = GuardedPipeline(pipeline, skips)


def guard_runner(runner: Runner, broken: BrokenImages | None = None) -> None:
    """Guard all data sets that a runner builds.

    Args:
        runner: Before its loops are built.
        broken: Skips images of the training set.
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
