"""Base class and helpers of the event data sets."""

import os
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from mmengine.dataset import BaseDataset

from mmsnn.utils import NamedRows, check_choice, describe
from mmsnn.utils.errors import UserError

from .files import EventFile
from .values import SENSOR_SIZE

SPLITS = ('train', 'test')


class EventDataset(BaseDataset):
    """A classification data set of event recordings, for MMEngine's data loaders.

    A sample is ``dict(event_path, event_key, event_file, gt_label, sample_idx)``, from
    which :class:`mmsnn.datasets.transforms.LoadEventFrames` makes frames.

    Args:
        data_root: Folder of the data set.
        split: ``'train'`` or ``'test'``.
        pipeline: Configs of the transforms.
        indices: Indices of the samples to use, or a number n to use the first n; None
            uses all.
        serialize_data: Whether to serialise the list of samples, so that data loader
            workers share its memory.
        test_mode: See MMEngine's ``BaseDataset``.
        lazy_init: Whether to read the folder only when it is needed.

    Attributes:
        NAME: Name of the data set in lower case.
        split: The split.

    Raises:
        TypeError: If ``data_root`` is not a path.
        ValueError: If the split is unknown, or expected files are missing in the folder
            (:class:`~mmsnn.utils.errors.UserError`).
    """

    NAME: ClassVar[str]

    def __init_subclass__(cls) -> None:
        """Add classes that define ``NAME`` to :data:`EVENT_DATASETS`."""
        super().__init_subclass__()
        if 'NAME' in vars(cls):
            EVENT_DATASETS.register(cls.NAME, cls)

    @classmethod
    def image_size(cls) -> tuple[int, int]:
        """Return the height and width of the frames."""
        return SENSOR_SIZE

    def __init__(
        self,
        data_root: str | os.PathLike[str],
        split: str = 'train',
        pipeline: Sequence[Mapping[str, Any] | Callable[[dict], dict]] = (),
        indices: int | Sequence[int] | None = None,
        serialize_data: bool = True,
        test_mode: bool = False,
        lazy_init: bool = False,
    ) -> None:
        check_choice('split', split, SPLITS)
        self.split = split
        super().__init__(
            data_root=str(check_root(data_root)),
            indices=indices,
            serialize_data=serialize_data,
            pipeline=pipeline,
            test_mode=test_mode,
            lazy_init=lazy_init,
        )

    @classmethod
    @abstractmethod
    def find_files(cls, root: Path, split: str) -> list[EventFile]:
        """List the files of a split in a fixed order.

        Args:
            root: An existing folder.
            split: ``'train'`` or ``'test'``.

        Raises:
            UserError: If expected files are missing in the folder.
        """

    def load_data_list(self) -> list[dict[str, Any]]:
        """List the samples of the split."""
        return [
            dict(
                event_path=file.path,
                event_key=key,
                event_file=file,
                gt_label=sample.label,
            )
            for file in self.find_files(Path(self.data_root), self.split)
            for key, sample in file.samples.items()
        ]


EVENT_DATASETS: NamedRows[type[EventDataset]] = NamedRows('event data set', type, {})
"""Event data sets by ``NAME``; subclasses of EventDataset are added automatically."""


def check_root(data_root: str | os.PathLike[str]) -> Path:
    """Return ``data_root`` as the path of an existing folder.

    Raises:
        TypeError: If it is not a path.
        UserError: If it is not a folder.
    """
    if not isinstance(data_root, str | os.PathLike):
        raise TypeError(f'data_root must be a path, but got {describe(data_root)}')
    root = Path(data_root).expanduser()
    if not root.is_dir():
        problem = 'is not a folder' if root.exists() else 'does not exist'
        raise UserError(f'data_root {str(root)!r} {problem} (looked in {Path.cwd()})')
    return root


def find_folder(root: Path, places: Sequence[str], marks: Sequence[str]) -> Path | None:
    """Return the first subfolder of ``root`` that contains any of the marks, or None.

    Args:
        root: The folder to search.
        places: Subfolders in the order in which they are tried.
        marks: Names of files or folders.
    """
    for place in places:
        if any((root / place / mark).exists() for mark in marks):
            return root / place
    return None


def list_names(folder: Path, suffix: str) -> list[str]:
    """List files with a suffix, sorted by name as in SpikingJelly and torchvision.

    Thus ``cifar10_cat_10`` comes before ``cifar10_cat_2``.

    Raises:
        UserError: If the folder cannot be read.
    """
    try:
        names = os.listdir(folder)
    except OSError as error:
        raise UserError(f'{str(folder)!r} cannot be read: {error.strerror}') from error
    return sorted(n for n in names if n.endswith(suffix) and not n.startswith('.'))
