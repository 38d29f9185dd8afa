"""What a model is fed with: its own data set, a folder of images, or noise."""

import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.logging import MMLogger
from mmengine.registry import DATASETS, FUNCTIONS, MODELS, init_default_scope
from mmengine.runner import load_checkpoint
from torch import nn
from torch.utils.data import DataLoader, Dataset, Subset

from mmsnn.datasets.guarded_pipeline import guard_dataset
from mmsnn.utils import check_choice, check_positive_int
from mmsnn.utils.checkpoint_fit import check_fit, judge_fit
from mmsnn.utils.checkpoint_readers import always_safe
from mmsnn.utils.checkpoints import read_checkpoint
from mmsnn.utils.data_checks import check_annotations
from mmsnn.utils.errors import UserError, first_line
from mmsnn.utils.failures import explain_building
from mmsnn.utils.preflight import check_data, check_pretrained, explain_downloads

from .image_sources import SUFFIXES, FileSamples, NoiseSamples, find_images


@dataclass(frozen=True)
class InputSource:
    """Where images come from.

    Attributes:
        kind: ``'dataset'``, the config's test set; ``'folder'``, image files, through
            the config's test pipeline; ``'random'``, noise.
        folder: Of ``'folder'``: where the images are, at any depth.
        size: Of ``'random'``: height and width; None is what the config's test pipeline
            makes, if it says so, or 224x224.

    Raises:
        ValueError: If ``kind`` is unknown or lacks its option, or has another's.
    """

    kind: Literal['dataset', 'folder', 'random'] = 'dataset'
    folder: Path | None = None
    size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        check_choice('kind', self.kind, ('dataset', 'folder', 'random'))
        if (self.folder is not None) != (self.kind == 'folder'):
            given = f'kind {self.kind!r} and folder {self.folder!r}'
            raise ValueError(f"a folder belongs to kind 'folder', but got {given}")
        if self.size is not None:
            if self.kind != 'random':
                raise ValueError(
                    f"a size belongs to kind 'random', but got kind {self.kind!r}"
                )
            for side in self.size:
                check_positive_int('size', side)


class Batches:
    """Batches that ``model.test_step`` takes; each iteration gives the same ones.

    Attributes:
        num_images: How many images there are in all batches.
        requested: How many were asked for; more than ``num_images`` if the source has
            not so many.
        source: Which images they are, in words.
        made_up: Whether labels and boxes are random, as those of noise and of files
            are: good for a loss's gradient, not for its value.
    """

    def __init__(
        self,
        samples: Dataset,
        num_images: int,
        requested: int,
        batch_size: int,
        collate: Callable[[Sequence[Any]], Any],
        source: str,
        made_up: bool,
    ) -> None:
        self.num_images = num_images
        self.requested = requested
        self.source = source
        self.made_up = made_up
        self._samples = samples
        self._batch_size = batch_size
        self._collate = collate

    def __len__(self) -> int:
        return -(-self.num_images // self._batch_size)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        # a generator of its own, else the loader would draw from the global one
        return iter(
            DataLoader(
                self._samples,
                batch_size=self._batch_size,
                collate_fn=self._collate,
                generator=torch.Generator(),
            )
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the frameworks say out of the tools' output.

    MMEngine logs a paragraph for each parameter that is initialised, and pycocotools
    prints how it loads.
    """
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel('WARNING')
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        logger.setLevel(level)


def build_model(
    cfg: Config,
    checkpoint: str | None = None,
    warn: Callable[[str], None] = warnings.warn,
) -> nn.Module:
    """Build the model of a config for inference, on whatever device there is.

    Args:
        cfg: The config of a whole run.
        checkpoint: A file, or what else MMEngine loads; None keeps the weights as the
            config initialises them.
        warn: Is told if the checkpoint fits only some of the parameters.

    Returns:
        The model in eval mode.

    Raises:
        UserError: If the model cannot be built, or the checkpoint is missing, is none,
            or is that of another architecture.
    """
    _check_sections(cfg)
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    state = None if checkpoint is None else read_checkpoint(checkpoint)
    settings = dict(cfg.model)
    if cfg.get('data_preprocessor') is not None:
        # as MMEngine's runner does
        settings.setdefault('data_preprocessor', cfg.data_preprocessor)
    if checkpoint is None:
        check_pretrained(cfg)
    with explain_building(f'the model of config {cfg.filename!r}'):
        model = MODELS.build(settings)
    with _quiet(), explain_downloads(), always_safe():
        if checkpoint is None:
            model.init_weights()
        else:
            if state is not None:
                fit = check_fit(model, state, checkpoint)
                warning = judge_fit(fit, checkpoint, 0, allow_partial=True)
                if warning:
                    warn(warning)
            load_checkpoint(model, checkpoint, map_location='cpu', logger='silent')
    return model.to(get_device()).eval()


def _check_sections(cfg: Config) -> None:
    """Check that a config is of a model and its data.

    Raises:
        UserError: If it is not, as a file of ``_base_``.
    """
    missing = [name for name in ('model', 'test_dataloader') if not cfg.get(name)]
    if missing:
        raise UserError(
            f'config {cfg.filename!r} cannot be analysed: it does not define '
            + ', '.join(missing)
        )


def make_batches(
    cfg: Config,
    source: InputSource,
    num_images: int = 8,
    batch_size: int = 1,
    seed: int = 0,
) -> Batches:
    """Make batches of what a model is to be fed with.

    Of a data set or folder that has more images than asked for, they are spread evenly,
    so that a list sorted by class gives more than its first class. Fewer are no error:
    see :attr:`Batches.requested`.

    Args:
        cfg: The config of a whole run; a detector's, or a classifier's of images or of
            event frames.
        source: Where they come from.
        num_images: How many to take at most.
        batch_size: How many a batch has; the last one may have less.
        seed: Of random images, and of random labels and boxes.

    Raises:
        UserError: If a number is less than 1, the data set is missing, or the folder is
            missing or empty; when iterated, if an image is missing or none.
    """
    for name, number in (('num_images', num_images), ('batch_size', batch_size)):
        try:
            check_positive_int(name, number)
        except ValueError as error:
            raise UserError(str(error)) from error
    _check_sections(cfg)
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    if source.kind == 'dataset':
        samples, count, text = _from_dataset(cfg, num_images)
    elif source.folder is not None:
        samples, count, text = _from_folder(cfg, source.folder, num_images, seed)
    else:
        noise = NoiseSamples(cfg, num_images, source.size, seed)
        samples, count, text = noise, num_images, str(noise)
    return Batches(
        samples,
        num_images=count,
        requested=num_images,
        batch_size=batch_size,
        collate=_collate(cfg.test_dataloader.get('collate_fn')),
        source=text,
        made_up=source.kind != 'dataset',
    )


def _collate(setting: Mapping[str, Any] | None) -> Callable[[Sequence[Any]], Any]:
    """Return the function that a data loader's config names."""
    options = dict(setting or dict(type='pseudo_collate'))
    kind = options.pop('type')
    return partial(FUNCTIONS.get(kind) if isinstance(kind, str) else kind, **options)


def _spread(available: int, wanted: int) -> list[int]:
    """Return up to ``wanted`` indices, spread evenly."""
    count = min(available, wanted)
    return [index * available // count for index in range(count)]


def open_dataset(cfg: Config, split: str) -> Any:
    """Build the data set of a split.

    Args:
        cfg: The config; its scope is the default one.
        split: ``'train'``, ``'val'`` or ``'test'``.

    Raises:
        UserError: If there is none, it is missing, cannot be opened or is empty.
    """
    loader = cfg.get(f'{split}_dataloader')
    if loader is None:
        raise UserError(f'config {cfg.filename!r} defines no {split}_dataloader')
    check_data(cfg, (split,))
    check_annotations(cfg, (split,), warnings.warn)
    with _quiet(), explain_downloads():
        try:
            dataset = DATASETS.build(loader.dataset)
            if hasattr(dataset, 'full_init'):
                dataset.full_init()
        except UserError:
            raise
        except (AssertionError, KeyError, OSError, TypeError, ValueError) as error:
            message = f'the {split} set of config {cfg.filename!r} cannot be opened'
            raise UserError(f'{message}: {first_line(error)}') from error
    if not len(dataset):
        raise UserError(f'the {split} set of config {cfg.filename!r} is empty')
    guard_dataset(dataset)
    return dataset


def _from_dataset(cfg: Config, num_images: int) -> tuple[Dataset, int, str]:
    """Return samples of the config's test set, their number, and what they are."""
    dataset = open_dataset(cfg, 'test')
    chosen = _spread(len(dataset), num_images)
    name = type(dataset).__name__
    text = f"{len(chosen)} of the {len(dataset)} of the config's test set ({name})"
    return Subset(dataset, chosen), len(chosen), text


def _from_folder(
    cfg: Config, folder: Path, num_images: int, seed: int
) -> tuple[Dataset, int, str]:
    """Return samples of a folder, their number, and what they are.

    Raises:
        UserError: If the folder is missing or empty, or the config is not for images.
    """
    files = find_images(folder)
    chosen = [files[index] for index in _spread(len(files), num_images)]
    text = f'{len(chosen)} of the {len(files)} in {folder}'
    return FileSamples(cfg, chosen, seed), len(chosen), text


__all__ = [
    'SUFFIXES',
    'Batches',
    'InputSource',
    'build_model',
    'find_images',
    'make_batches',
    'open_dataset',
]
