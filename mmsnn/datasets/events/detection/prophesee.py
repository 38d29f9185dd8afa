"""Prophesee's automotive detection data sets, Gen1 and 1 Mpx."""

import os
from collections import Counter
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.lib.recfunctions import append_fields

from mmsnn.registry import DATASETS
from mmsnn.utils import check_positive_int
from mmsnn.utils.errors import UserError

from ..base import list_names
from .base import EventDetectionDataset
from .box_files import read_boxes
from .box_filters import GEN1_FILTER, MEGAPIXEL_FILTER, BoxFilter, clip_boxes
from .dat_files import DatFile

_EVENTS, _BOXES = '_td.dat', '_bbox.npy'


class ProphesseeDataset(EventDetectionDataset):
    """A data set in Prophesee's files, ``SPLIT/NAME_td.dat`` and ``NAME_bbox.npy``.

    Each labelled time is a sample: the events of ``duration`` before it. Recordings are
    not copied or cached; windows are found in them by bisection. Labelled times are
    skipped if the window begins before the first event or ends after the last one; the
    number is logged. Boxes in which no event occurs are kept, since the protocol counts
    them.

    Args:
        data_root: Folder that contains the folders of the splits.
        split: ``'train'``, ``'val'`` or ``'test'``.
        duration: Length of the window in microseconds.
        **options: See :class:`.base.EventDetectionDataset`.

    Attributes:
        CLASS_IDS: Ids of the classes in the files. Boxes of other ids in
            ``OTHER_IDS`` are dropped.
        FILTER: Which boxes count.
        DURATION_UNIT: Time in microseconds of which ``duration`` is a multiple.

    Raises:
        ValueError: If ``duration`` is not a positive multiple of ``DURATION_UNIT``; see
            also :class:`.base.EventDetectionDataset`.
    """

    CLASS_IDS: ClassVar[tuple[int, ...]]
    OTHER_IDS: ClassVar[tuple[int, ...]] = ()
    FILTER: ClassVar[BoxFilter]
    DURATION_UNIT: ClassVar[int] = 1
    DURATION = 100_000

    def __init__(
        self,
        data_root: str | os.PathLike[str],
        split: str = 'train',
        duration: int = DURATION,
        **options: Any,
    ) -> None:
        self.duration = check_positive_int('duration', duration)
        if duration % self.DURATION_UNIT:
            raise ValueError(
                f'duration must be a multiple of {self.DURATION_UNIT} us, but got '
                f'{duration}'
            )
        super().__init__(data_root, split, **options)

    def load_data_list(self) -> list[dict[str, Any]]:
        """List the labelled times of the split."""
        folder = Path(self.data_root, self.split)
        names = list_names(folder, _EVENTS)
        if not names:
            raise UserError(f'{str(folder)!r} has no files *{_EVENTS}')
        samples: list[dict[str, Any] | None] = []
        skipped: Counter[str] = Counter()
        for name in names:
            path = folder / name
            labels = folder / (name.removesuffix(_EVENTS) + _BOXES)
            boxes = self.choose_boxes(read_boxes(labels), labels)
            samples += self._list_samples(path, boxes, skipped)
        return self.finish(samples, skipped)

    def choose_boxes(self, boxes: np.ndarray, path: Path) -> np.ndarray:
        """Return the boxes that count, with the index of their class as ``label``.

        Args:
            boxes: Boxes in pixels of the sensor.
            path: Their file.

        Raises:
            UserError: If a class is unknown.
        """
        boxes = clip_boxes(boxes, self.SENSOR_SIZE)
        unknown = set(np.unique(boxes['class_id']).tolist()).difference(
            self.CLASS_IDS, self.OTHER_IDS
        )
        if unknown:
            raise UserError(
                f'box file {str(path)!r} has class_id {min(unknown)}; '
                f'{type(self).__name__} has {sorted(self.CLASS_IDS + self.OTHER_IDS)}'
            )
        used = [self.METAINFO['classes'].index(n) for n in self.metainfo['classes']]
        ids = np.array([self.CLASS_IDS[index] for index in used])
        matches = boxes['class_id'][:, None] == ids
        keep = self.FILTER.keeps(boxes) & matches.any(axis=1)
        labels = matches.argmax(axis=1)
        labelled: np.ndarray = append_fields(boxes, 'label', labels, usemask=False)
        return labelled[keep]

    def _list_samples(
        self, path: Path, boxes: np.ndarray, skipped: Counter[str]
    ) -> list[dict[str, Any] | None]:
        events = DatFile(path)
        samples = []
        for t in np.unique(boxes['t']).tolist():
            window = (t - self.duration, t)
            if window[0] < events.first:
                skipped['begin before the first event'] += 1
            elif t > events.last:
                skipped['end after the last event'] += 1
            else:
                at_time = boxes[boxes['t'] == t]
                samples.append(self.make_sample(path, 'dat', window, at_time))
        return samples


@DATASETS.register_module()
class Gen1Detection(ProphesseeDataset):
    """Gen1: cars and pedestrians, 304 x 240 pixels (de Tournemire et al. 2020)."""

    METAINFO: ClassVar[dict[str, Any]] = {
        'classes': ('car', 'pedestrian'),
        'palette': [],
    }
    SENSOR_SIZE = (240, 304)
    CLASS_IDS = (0, 1)
    FILTER = GEN1_FILTER


@DATASETS.register_module()
class MegapixelDetection(ProphesseeDataset):
    """1 Mpx: three evaluated of seven labelled classes (Perot et al. 2020)."""

    METAINFO: ClassVar[dict[str, Any]] = {
        'classes': ('pedestrian', 'two wheeler', 'car'),
        'palette': [],
    }
    SENSOR_SIZE = (720, 1280)
    CLASS_IDS = (0, 1, 2)
    OTHER_IDS = (3, 4, 5, 6)
    FILTER = MEGAPIXEL_FILTER


@DATASETS.register_module()
class EventDigitsDetection(ProphesseeDataset):
    """The bundled set of filmed digits of :func:`mmsnn.datasets.make_event_digits`."""

    METAINFO: ClassVar[dict[str, Any]] = {
        'classes': tuple('0123456789'),
        'palette': [],
    }
    SENSOR_SIZE = (128, 128)
    CLASS_IDS = tuple(range(10))
    FILTER = GEN1_FILTER
