"""Samples from files or random noise, packed by a test pipeline."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import mmcv
import numpy as np
from mmdet.structures.bbox import HorizontalBoxes
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import DATASETS, TRANSFORMS
from torch.utils.data import Dataset

from mmsnn.datasets.guarded_pipeline import GuardedPipeline
from mmsnn.datasets.transforms import FrameLoader
from mmsnn.utils.config_types import class_name, loads_image_files
from mmsnn.utils.errors import UserError
from mmsnn.utils.preflight import find_class, innermost_dataset

from .recording_files import LoadRecording

SUFFIXES = ('.bmp', '.jpeg', '.jpg', '.pgm', '.png', '.ppm', '.tif', '.tiff', '.webp')
# Size of random images if the config does not define one.
DEFAULT_SIZE = (224, 224)
# Mean number of events per pixel, polarity and time step of random event frames.
EVENT_RATE = 0.1
NUM_BOXES = 3
# Height and width of MMPretrain's data sets that are kept in memory; mmsnn's data sets
# define `image_size`.
_IN_MEMORY = {
    'CIFAR10': (32, 32),
    'CIFAR100': (32, 32),
    'FashionMNIST': (28, 28),
    'MNIST': (28, 28),
}
# The argument of MMCV's and MMPretrain's transforms that sets the size, width first;
# mmsnn's transforms define `output_size`.
_SIZES = {'CenterCrop': 'crop_size', 'Resize': 'scale', 'ResizeEdge': 'scale'}


class NoiseSamples(Dataset):
    """Uniform noise, or Poisson counts for event models, with random labels.

    A sample only depends on the seed and its index.

    Args:
        cfg: A full config; the last transform of its test pipeline packs the samples.
        num_images: Number of images.
        size: Height and width; None uses the output size of the test pipeline.
        seed: Seed of the noise.

    Raises:
        UserError: If the config has no test pipeline.
    """

    def __init__(
        self, cfg: Config, num_images: int, size: tuple[int, int] | None, seed: int
    ) -> None:
        pipeline = _pipeline(cfg)
        self.num_images = num_images
        self.size = size or _made_size(cfg)
        self.seed = seed
        self.channels = _channels(cfg)
        self.loader = _frame_loader(pipeline)
        self._num_classes = _num_classes(cfg.model)
        self._pack = TRANSFORMS.build(pipeline[-1])

    def __len__(self) -> int:
        return self.num_images

    def __getitem__(self, index: int) -> dict[str, Any]:
        rng = np.random.default_rng((self.seed, index))
        results: dict[str, Any] = dict(img_id=index, sample_idx=index, img_path='')
        if self.loader is not None:
            frame = (self.loader.num_channels, *self.size)
            frames = rng.poisson(EVENT_RATE, (self.loader.num_steps, *frame))
            results = self.loader.add_frames(results, frames)
        else:
            pixels = (*self.size, self.channels)
            results |= _image(rng.integers(0, 256, pixels, dtype=np.uint8))
        return self._pack(results | _targets(rng, self.size, self._num_classes))

    def __str__(self) -> str:
        height, width = self.size
        if self.loader is not None:
            kind = (
                f'random samples of {self.loader.num_steps} event frames (Poisson '
                f'counts with mean {EVENT_RATE})'
            )
        else:
            kind = 'random images (uniform noise)'
        return f'{self.num_images} {kind}, {height}x{width} pixels, seed {self.seed}'


class FileSamples(Dataset):
    """Files processed by a config's test pipeline, with random labels.

    The files are images or, for models of event data, recordings. For data sets that
    are kept in memory, images are resized to the size of their images.

    Args:
        cfg: A full config.
        files: The files.
        seed: Seed of the labels and boxes.
        max_events: Largest number of events of a recording; None is no limit.

    Raises:
        UserError: If the config has no test pipeline or, when a sample is read, if its
            file is not an image or a recording.
    """

    def __init__(
        self,
        cfg: Config,
        files: Sequence[Path],
        seed: int,
        max_events: int | None = None,
    ) -> None:
        pipeline = _pipeline(cfg)
        steps = [step for step in pipeline if 'Annotations' not in class_name(step)]
        self.files = files
        self.seed = seed
        transforms = [TRANSFORMS.build(step) for step in steps]
        self._load: LoadRecording | None = None
        loaders = [one for one in transforms if isinstance(one, FrameLoader)]
        if loaders:
            self._load = LoadRecording(cfg, loaders[0], max_events)
            del transforms[: transforms.index(loaders[0]) + 1]
        elif not loads_image_files(steps):
            size, channels = _made_size(cfg), _channels(cfg)
            transforms.insert(0, partial(_load_small, size=size, channels=channels))
        self._pack = transforms.pop()
        self._prepare = GuardedPipeline(Compose(transforms))
        self._num_classes = _num_classes(cfg.model)

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> dict[str, Any]:
        path = str(self.files[index])
        loaded: dict[str, Any] = dict(img_path=path, img_id=index, sample_idx=index)
        if self._load is not None:
            loaded = self._load(loaded)
        results = self._prepare(loaded)
        if results is None:
            raise UserError(f'the test pipeline drops image {path!r}')
        rng = np.random.default_rng((self.seed, index))
        size = results['img_shape'][:2]
        return self._pack(results | _targets(rng, size, self._num_classes))


def takes_events(cfg: Config) -> bool:
    """Return whether a config's test pipeline loads events, not images.

    Raises:
        UserError: If the config has no test pipeline.
    """
    return _frame_loader(_pipeline(cfg)) is not None


def find_images(folder: Path) -> list[Path]:
    """Return the image files in a folder and its subfolders, sorted.

    Raises:
        UserError: If the folder is missing or contains no images.
    """
    if not folder.is_dir():
        problem = 'is not a folder' if folder.exists() else 'does not exist'
        raise UserError(f'image folder {str(folder)!r} {problem}')
    files = sorted(
        path
        for path in folder.rglob('*')
        if path.suffix.lower() in SUFFIXES and path.is_file()
    )
    if not files:
        raise UserError(
            f'image folder {str(folder)!r} contains no images: no file ends in '
            + ', '.join(SUFFIXES)
        )
    return files


def _load_small(
    results: dict[str, Any], size: tuple[int, int], channels: int
) -> dict[str, Any]:
    """Load an image in the format of data sets that are kept in memory: RGB."""
    flag = 'grayscale' if channels == 1 else 'color'
    pixels = mmcv.imread(results['img_path'], flag, channel_order='rgb')
    pixels = mmcv.imresize(pixels, size[::-1])
    return results | _image(pixels.reshape(*size, channels))


def _image(pixels: np.ndarray) -> dict[str, Any]:
    """Return the results of a loading transform, without resizing."""
    size = pixels.shape[:2]
    return dict(img=pixels, img_shape=size, ori_shape=size, scale_factor=(1.0, 1.0))


def _targets(
    rng: np.random.Generator, size: tuple[int, int], num_classes: int
) -> dict[str, Any]:
    """Return a random label and boxes; the packing transform uses those it needs."""
    corners = rng.uniform(0, 0.5, (NUM_BOXES, 2))
    sides = rng.uniform(0.25, 0.5, corners.shape)
    boxes = np.concatenate([corners, corners + sides], axis=1)
    scale = np.array(size[::-1] * 2)
    return dict(
        gt_label=int(rng.integers(num_classes)),
        gt_bboxes=HorizontalBoxes((boxes * scale).astype(np.float32)),
        gt_bboxes_labels=rng.integers(num_classes, size=NUM_BOXES),
        gt_ignore_flags=np.zeros(NUM_BOXES, dtype=bool),
    )


def _pipeline(cfg: Config) -> list[Mapping[str, Any]]:
    """Return the test pipeline.

    Raises:
        UserError: If the config has none.
    """
    pipeline = innermost_dataset(cfg.test_dataloader.dataset).get('pipeline')
    if not pipeline:
        raise UserError(f'the test set of config {cfg.filename!r} has no pipeline')
    return list(pipeline)


def _frame_loader(pipeline: Sequence[Mapping[str, Any]]) -> FrameLoader | None:
    """Return the pipeline's loader of event frames; None for images."""
    for step in pipeline:
        class_ = find_class(TRANSFORMS, step.get('type'), None)
        if class_ is not None and issubclass(class_, FrameLoader):
            return TRANSFORMS.build(step)
    return None


def _channels(cfg: Config) -> int:
    """Return the number of channels of the model's images."""
    mean = (cfg.model.get('data_preprocessor') or {}).get('mean') or (0, 0, 0)
    return (cfg.model.get('backbone') or {}).get('in_channels', len(mean))


def _num_classes(node: Any) -> int:
    """Return the smallest number of classes of the heads in a config, or 1."""
    if not isinstance(node, Mapping | list | tuple):
        return 1
    numbers = []
    if isinstance(node, Mapping) and isinstance(node.get('num_classes'), int):
        numbers = [node['num_classes']]
    children = node.values() if isinstance(node, Mapping) else node
    found = [number for number in map(_num_classes, children) if number > 1]
    return min(numbers + found, default=1)


def _made_size(cfg: Config) -> tuple[int, int]:
    """Return the height and width that the test pipeline defines, or a default."""
    for step in reversed(_pipeline(cfg)):
        if hasattr(find_class(TRANSFORMS, step.get('type'), None), 'output_size'):
            return TRANSFORMS.build(step).output_size
        size = step.get(_SIZES.get(class_name(step), ''))
        if isinstance(size, int):
            return size, size
        if isinstance(size, Sequence) and len(size) == 2:
            return int(size[1]), int(size[0])
    dataset = innermost_dataset(cfg.test_dataloader.dataset)
    class_ = find_class(DATASETS, dataset.get('type'), None)
    if class_ is not None and hasattr(class_, 'image_size'):
        return class_.image_size()
    return _IN_MEMORY.get(class_name(dataset), DEFAULT_SIZE)


__all__ = [
    'SUFFIXES',
    'FileSamples',
    'NoiseSamples',
    'find_images',
    'takes_events',
]
