"""Gen1 and 1 Mpx as RVT's preprocessed files."""

from collections import Counter
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from mmsnn.registry import DATASETS
from mmsnn.utils.errors import UserError

from .prophesee import Gen1Detection, MegapixelDetection, ProphesseeDataset
from .rvt_files import DURATION, LABELS, REPRESENTATION, HistogramFile, read_labels


class RVTDataset(ProphesseeDataset):
    """A data set in RVT's preprocessed files: a folder ``SPLIT/RECORDING`` for each.

    :mod:`.rvt_files` describes them. Each labelled time is a sample: the histograms of
    ``duration``, a multiple of 50 ms, before it. Boxes are filtered as those of
    Prophesee's files, in pixels of the sensor, and then downsampled like the
    histograms. Labelled times are skipped if the window begins before the first
    histogram; the number is logged.

    Attributes:
        DOWNSAMPLING: Pixels of the sensor per pixel of the histograms, on each axis.
        FILE: Name of the file of the histograms.
    """

    DURATION_UNIT = DURATION
    DOWNSAMPLING: ClassVar[int] = 1
    FILE: ClassVar[str] = 'event_representations.h5'

    @classmethod
    def image_size(cls) -> tuple[int, int]:
        """Return the height and width of the histograms."""
        height, width = cls.SENSOR_SIZE
        return height // cls.DOWNSAMPLING, width // cls.DOWNSAMPLING

    def load_data_list(self) -> list[dict[str, Any]]:
        """List the labelled times of the split."""
        folder = Path(self.data_root, self.split)
        if not folder.is_dir():
            raise UserError(f'{str(folder)!r} does not exist or is not a folder')
        recordings = sorted(path for path in folder.iterdir() if path.is_dir())
        samples: list[dict[str, Any] | None] = []
        skipped: Counter[str] = Counter()
        for recording in recordings:
            samples += self._list_recording(recording, skipped)
        return self.finish(samples, skipped)

    def _list_recording(
        self, folder: Path, skipped: MutableMapping[str, int]
    ) -> list[dict[str, Any] | None]:
        labelled = read_labels(folder / LABELS)
        histograms = HistogramFile(
            folder / REPRESENTATION / self.FILE, self.image_size()
        )
        histograms.check(np.unique(labelled['t']))
        boxes = self.choose_boxes(labelled, folder / LABELS)
        for name in 'xywh':
            boxes[name] /= self.DOWNSAMPLING
        samples = []
        for t in np.unique(boxes['t']).tolist():
            window = (t - self.duration, t)
            number = np.searchsorted(histograms.times, t) + 1
            if number * DURATION < self.duration:
                skipped['begin before the first histogram'] += 1
                continue
            at_time = boxes[boxes['t'] == t]
            samples.append(self.make_sample(histograms.path, 'rvt', window, at_time))
        return samples


@DATASETS.register_module()
class RVTGen1Detection(RVTDataset, Gen1Detection):
    """Gen1 in RVT's files, 304 x 240 pixels."""


@DATASETS.register_module()
class RVTMegapixelDetection(RVTDataset, MegapixelDetection):
    """1 Mpx in RVT's files, downsampled to 640 x 360 pixels."""

    DOWNSAMPLING = 2
    FILE = 'event_representations_ds2_nearest.h5'


__all__ = ['RVTDataset', 'RVTGen1Detection', 'RVTMegapixelDetection']
