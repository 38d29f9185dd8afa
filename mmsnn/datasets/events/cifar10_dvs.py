"""CIFAR10-DVS: an event camera's recordings of CIFAR-10 images moving on a screen."""

import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from mmengine.logging import print_log

from mmsnn.registry import DATASETS
from mmsnn.utils.errors import UserError

from .base import EventDataset, find_folder, list_names
from .files import EventFile, EventSample
from .readers import LAYOUTS

CLASSES = (
    'airplane',
    'automobile',
    'bird',
    'cat',
    'deer',
    'dog',
    'frog',
    'horse',
    'ship',
    'truck',
)

# Possible locations of the class folders: as published, and as SpikingJelly extracts.
_PLACES = ('.', 'extract', 'events_np')
_TRAIN_SHARE = 0.9
_PUBLISHED = 1000


@DATASETS.register_module()
class CIFAR10DVS(EventDataset):
    """CIFAR10-DVS (Li et al. 2017): ten classes with 1000 recordings each.

    ``data_root``, or its subfolder ``extract`` or ``events_np``, contains one folder
    per class. The files are AEDAT 2 as published, such as
    ``airplane/cifar10_airplane_0.aedat``, or ``.npz`` as converted by SpikingJelly.

    The data set has no official split. As in the code of the SEW paper, the first 90 %
    of every class (rounded up), in alphabetical order of the file names, are used for
    training and the others for testing: 9000 and 1000. Later papers split randomly or
    by number, so their accuracies are not comparable.

    The arguments are those of :class:`EventDataset`.
    """

    NAME = 'cifar10_dvs'
    METAINFO: ClassVar[dict[str, Any]] = {'classes': CLASSES}

    @classmethod
    def find_files(cls, root: Path, split: str) -> list[EventFile]:
        """List the files of a split, see ``EventDataset.find_files``."""
        folder = find_folder(root, _PLACES, CLASSES)
        if folder is None:
            raise UserError(_describe_absence(root, CLASSES))
        missing = [name for name in CLASSES if not (folder / name).is_dir()]
        if missing:
            raise UserError(_describe_absence(folder, missing))
        files = []
        incomplete = []
        for label, name in enumerate(CLASSES):
            layout, names = _list_class(folder / name)
            if len(names) != _PUBLISHED:
                incomplete.append(f'{name} {len(names)}')
            cut = math.ceil(_TRAIN_SHARE * len(names))
            for file_name in names[:cut] if split == 'train' else names[cut:]:
                key = f'{name}/{Path(file_name).stem}'
                files.append(
                    EventFile(
                        path=str(folder / name / file_name),
                        layout=layout,
                        dataset=cls.NAME,
                        data_root=str(root),
                        samples={key: EventSample(label)},
                    )
                )
        if incomplete:
            print_log(
                f'{folder} is not all of CIFAR10-DVS, so the split differs: '
                f'it should have {_PUBLISHED} files per class, but has '
                + ', '.join(incomplete),
                logger='current',
                level=logging.WARNING,
            )
        return files


def _list_class(folder: Path) -> tuple[str, list[str]]:
    """Return the layout and the names of the files of a class."""
    for layout in ('aedat2', 'npz'):
        names = list_names(folder, LAYOUTS[layout].suffix)
        if names:
            return layout, names
    raise UserError(f'{str(folder)!r} has no files *.aedat or *.npz')


def _describe_absence(folder: Path, missing: Sequence[str]) -> str:
    message = (
        f'{str(folder)!r} lacks the folders of classes {", ".join(missing)} '
        'of CIFAR10-DVS'
    )
    archives = [
        str(path)
        for place in ('.', 'download')
        for name in missing
        if (path := folder / place / f'{name}.zip').is_file()
    ]
    if archives:
        message += f'; extract {archives[0]!r} and the other archives there'
    return message
