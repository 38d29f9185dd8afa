"""DVS128 Gesture: hand and arm gestures recorded by an event camera."""

from collections import Counter
from pathlib import Path
from typing import Any, ClassVar

from mmsnn.registry import DATASETS
from mmsnn.utils.errors import UserError, first_line

from .base import EventDataset, find_folder, list_names
from .files import EventFile, EventSample
from .readers import LAYOUTS

CLASSES = (
    'hand_clapping',
    'right_hand_wave',
    'left_hand_wave',
    'right_arm_clockwise',
    'right_arm_counter_clockwise',
    'left_arm_clockwise',
    'left_arm_counter_clockwise',
    'arm_roll',
    'air_drums',
    'air_guitar',
    'other_gestures',
)

# Possible locations of the recordings: as published, and as SpikingJelly extracts them.
_PLACES = ('.', 'DvsGesture', 'extract/DvsGesture')
_LISTS = {'train': 'trials_to_train.txt', 'test': 'trials_to_test.txt'}
# Possible locations of SpikingJelly's converted samples: a folder per split and class.
_CONVERTED = ('events_np', '.')


@DATASETS.register_module()
class DVS128Gesture(EventDataset):
    """DVS128 Gesture (Amir et al. 2017): eleven gestures of 29 people.

    ``data_root`` is the published folder ``DvsGesture`` or contains it:
    ``user01_fluorescent.aedat`` (AEDAT 3.1) and ``user01_fluorescent_labels.csv`` for
    each recording, ``trials_to_train.txt`` and ``trials_to_test.txt``. Alternatively,
    it contains the files converted by SpikingJelly, such as
    ``events_np/train/0/user01_fluorescent_0.npz``.

    A sample is a row of a ``_labels.csv``. The published lists have 1176 training
    samples (users 1 to 23) and 288 test samples (users 24 to 29).

    The arguments are those of :class:`EventDataset`.
    """

    NAME = 'dvs128_gesture'
    METAINFO: ClassVar[dict[str, Any]] = {'classes': CLASSES}

    @classmethod
    def find_files(cls, root: Path, split: str) -> list[EventFile]:
        """List the files of a split, see ``EventDataset.find_files``."""
        folder = find_folder(root, _PLACES, tuple(_LISTS.values()))
        if folder is not None:
            return _find_recordings(root, folder, split)
        folder = find_folder(root, _CONVERTED, ('train/0', 'test/0'))
        if folder is not None:
            return _find_converted(root, folder, split)
        message = f'{str(root)!r} lacks {_LISTS[split]} of DVS128 Gesture'
        archive = find_folder(root, ('.', 'download'), ('DvsGesture.tar.gz',))
        if archive is not None:
            message += f'; extract {str(archive / "DvsGesture.tar.gz")!r} there'
        raise UserError(message)


def _find_recordings(root: Path, folder: Path, split: str) -> list[EventFile]:
    """List the recordings of a split in the published layout."""
    listed = folder / _LISTS[split]
    names = _read_text(listed).split()
    if not names:
        raise UserError(f'{str(listed)!r} names no recording')
    repeated = [name for name, times in Counter(names).items() if times > 1]
    if repeated:
        raise UserError(f'{str(listed)!r} names {", ".join(repeated)} more than once')
    files = []
    for name in names:
        path = folder / name
        if not path.is_file():
            raise UserError(f'{str(path)!r} does not exist, but {listed.name} names it')
        files.append(
            EventFile(
                path=str(path),
                layout='aedat3',
                dataset=DVS128Gesture.NAME,
                data_root=str(root),
                samples=_read_labels(path, split),
            )
        )
    return files


def _read_labels(recording: Path, split: str) -> dict[str, EventSample]:
    """Read the samples of a recording from its ``_labels.csv``.

    Its columns are the class, from 1, and the start and end in microseconds. Keys are
    SpikingJelly's names: split, class, and the sample's number among the recording's
    samples of that class.
    """
    path = recording.with_name(f'{recording.stem}_labels.csv')
    lines = [line for line in _read_text(path).splitlines() if line.strip()]
    header, rows = lines[:1], lines[1:]
    if not rows or header[0].partition(',')[0].strip().isdigit():
        raise UserError(
            f'labels {str(path)!r} must have a header line, then a row for each '
            f'sample, but begin with {lines[:2]}'
        )
    samples = {}
    seen: Counter[int] = Counter()
    for line in rows:
        try:
            number, begin, end = map(int, line.split(','))
        except ValueError:
            number = begin = end = 0
        if not (1 <= number <= len(CLASSES) and 0 <= begin < end):
            raise UserError(
                f'each row of labels {str(path)!r} must have a class from 1 to '
                f'{len(CLASSES)}, a start and a later end in microseconds, but one is '
                f'{line.strip()[:60]!r}'
            )
        label = number - 1
        key = f'{split}/{label}/{recording.stem}_{seen[label]}'
        samples[key] = EventSample(label, (begin, end))
        seen[label] += 1
    return samples


def _read_text(path: Path) -> str:
    """Read a text file of the data set.

    Raises:
        UserError: If it is missing or not a text file.
    """
    try:
        if path.exists() and not path.is_file():
            # opening a pipe would block forever
            raise UserError(f'{str(path)!r} is not a regular file')
        return path.read_text(encoding='utf-8-sig')
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f'{str(path)!r} cannot be read: {first_line(error)}') from error


def _find_converted(root: Path, folder: Path, split: str) -> list[EventFile]:
    """List the samples of a split that SpikingJelly converted."""
    files = []
    for label, name in enumerate(CLASSES):
        place = folder / split / str(label)
        names = list_names(place, LAYOUTS['npz'].suffix) if place.is_dir() else []
        if not names:
            raise UserError(f'{str(place)!r} has no files *.npz, of class {name}')
        for file_name in names:
            key = f'{split}/{label}/{Path(file_name).stem}'
            files.append(
                EventFile(
                    path=str(place / file_name),
                    layout='npz',
                    dataset=DVS128Gesture.NAME,
                    data_root=str(root),
                    samples={key: EventSample(label)},
                )
            )
    return files
