"""Inputs of a model: the config's data set, a folder of images, or random noise."""

import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.device import get_device
from mmengine.logging import MMLogger
from mmengine.registry import DATASETS, FUNCTIONS, MODELS, init_default_scope
from mmengine.runner import load_checkpoint
from torch import nn
from torch.utils.data import Dataset, Subset

from mmsnn.datasets.guarded_pipeline import guard_dataset
from mmsnn.utils import check_positive_int
from mmsnn.utils.checkpoint_fit import check_fit, judge_fit
from mmsnn.utils.checkpoint_readers import always_safe
from mmsnn.utils.checkpoints import read_with_classes
from mmsnn.utils.class_checks import compare_classes
from mmsnn.utils.data_checks import check_annotations
from mmsnn.utils.errors import UserError, first_line
from mmsnn.utils.failures import explain_building
from mmsnn.utils.preflight import check_data, check_pretrained, explain_downloads

from .batches import Batches, InputSource
from .image_sources import (
    SUFFIXES,
    FileSamples,
    NoiseSamples,
    find_images,
    takes_events,
)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep messages of the frameworks out of the tools' output.

    MMEngine logs the initialisation of every parameter, and pycocotools prints progress
    when it loads annotations.
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
    """Build the model of a config for inference, on MMEngine's default device.

    Args:
        cfg: A full config.
        checkpoint: A file, or another source that MMEngine loads; None initialises the
            weights as the config defines.
        warn: Called with a warning if the checkpoint fits only some of the parameters,
            or was trained with other classes than those of the test set.

    Returns:
        The model in eval mode.

    Raises:
        UserError: If the model cannot be built, or if the checkpoint is missing, is not
            a checkpoint, or belongs to another architecture.
    """
    _check_sections(cfg)
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    state = None
    if checkpoint is not None:
        state, classes = read_with_classes(checkpoint)
        if warning := compare_classes(cfg, 'test', classes, checkpoint):
            warn(warning)
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
    """Check that a config defines a model and its data.

    Raises:
        UserError: If it does not, such as a file in ``_base_``.
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
    num_images: int | None = 8,
    batch_size: int = 1,
    seed: int = 0,
) -> Batches:
    """Make batches of a model's inputs.

    If a data set or folder has more images than requested, evenly spaced images are
    taken, so that data sorted by class is covered. Fewer images are not an error, see
    ``Batches.requested``.

    Args:
        cfg: A full config of a detector, or of a classifier of images or event frames.
        source: Source of the images.
        num_images: Maximum number of images; None takes the whole data set or folder.
        batch_size: Images per batch; the last batch may be smaller.
        seed: Seed of random images, labels and boxes.

    Raises:
        UserError: If a number is less than 1, or the data set or folder is missing or
            empty; during iteration, if an image is missing or not an image file.
    """
    given = 1 if num_images is None else num_images
    for name, number in (('num_images', given), ('batch_size', batch_size)):
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
        noise = NoiseSamples(cfg, given, source.size, seed)
        samples, count, text = noise, given, str(noise)
    return Batches(
        samples,
        num_images=count,
        requested=num_images or count,
        batch_size=batch_size,
        collate=_collate(cfg.test_dataloader.get('collate_fn')),
        source=text,
        made_up=source.kind != 'dataset',
        metainfo=getattr(getattr(samples, 'dataset', None), 'metainfo', {}),
    )


def make_file_batches(
    cfg: Config, files: Sequence[Path], max_events: int | None = None
) -> Batches:
    """Make batches of one sample each from image files or event recordings.

    Args:
        cfg: A full config of a detector or classifier.
        files: The images or, for a model of event data, ``.dat`` or ``.npy`` files,
            processed by the config's test pipeline.
        max_events: Largest number of events of a recording; None is no limit.

    Raises:
        UserError: During iteration, if a file is missing, or not an image or recording.
    """
    _check_sections(cfg)
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    return Batches(
        FileSamples(cfg, files, 0, max_events),
        num_images=len(files),
        requested=len(files),
        batch_size=1,
        collate=_collate(cfg.test_dataloader.get('collate_fn')),
        source=', '.join(map(str, files)),
        made_up=True,
        metainfo={},
    )


def _collate(setting: Mapping[str, Any] | None) -> Callable[[Sequence[Any]], Any]:
    """Return the collate function of a data loader's config."""
    options = dict(setting or dict(type='pseudo_collate'))
    kind = options.pop('type')
    return partial(FUNCTIONS.get(kind) if isinstance(kind, str) else kind, **options)


def _spread(available: int, wanted: int | None) -> list[int]:
    """Return up to ``wanted`` evenly spaced indices, all if it is None."""
    count = available if wanted is None else min(available, wanted)
    return [index * available // count for index in range(count)]


def open_dataset(cfg: Config, split: str) -> Any:
    """Build the data set of a split.

    Args:
        cfg: The config; its scope must be the default scope already.
        split: ``'train'``, ``'val'`` or ``'test'``.

    Raises:
        UserError: If the config does not define the split, or its data set is missing,
            cannot be opened or is empty.
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


def _from_dataset(cfg: Config, num_images: int | None) -> tuple[Dataset, int, str]:
    """Return samples of the config's test set, their number and their description."""
    dataset = open_dataset(cfg, 'test')
    chosen = _spread(len(dataset), num_images)
    name = type(dataset).__name__
    text = f"{len(chosen)} of the {len(dataset)} of the config's test set ({name})"
    return Subset(dataset, chosen), len(chosen), text


def _from_folder(
    cfg: Config, folder: Path, num_images: int | None, seed: int
) -> tuple[Dataset, int, str]:
    """Return samples of a folder, their number and their description.

    Raises:
        UserError: If the folder is missing or empty, or the config is not for images.
    """
    if takes_events(cfg):
        raise UserError(
            f'config {cfg.filename!r} takes event frames, not image files: use its '
            'data set or random input'
        )
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
    'make_file_batches',
    'open_dataset',
    'takes_events',
]
