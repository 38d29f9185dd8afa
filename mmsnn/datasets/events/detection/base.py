"""Base class of detection data sets of event recordings."""

import logging
import os
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from mmdet.datasets import BaseDetDataset
from mmengine.logging import print_log

from mmsnn.datasets.palettes import with_colors
from mmsnn.utils import check_choice
from mmsnn.utils.errors import UserError

from ..base import check_root

SPLITS = ('train', 'val', 'test')
# RVT's limit: wider training boxes are labelling errors
_MAX_WIDTH = 0.9


class EventDetectionDataset(BaseDetDataset):
    """A detection data set of event recordings.

    A sample is a window of events that ends at a labelled time, with the boxes of that
    time: ``dict(img_id, img_path, layout, window, recording, event_time, height, width,
    instances)``, from which :class:`mmsnn.datasets.transforms.LoadEventWindow` makes
    frames. Boxes are cropped to the sensor. In training, boxes wider than 0.9 of the
    sensor are dropped as in RVT (Gehrig and Scaramuzza 2023), since they are labelling
    errors, and samples without boxes are left out.

    Args:
        data_root: Folder of the data set.
        split: ``'train'``, ``'val'`` or ``'test'``.
        metainfo: ``dict(classes=...)``, a subset of the classes.
        pipeline: Configs of the transforms.
        indices: Indices of the samples to use, or a number n to use the first n; None
            uses all.
        serialize_data: Whether to serialise the list of samples, so that data loader
            workers share its memory.
        test_mode: Whether the samples are evaluated.
        lazy_init: Whether to read the folder only when it is needed.

    Attributes:
        SENSOR_SIZE: Height and width of the sensor in pixels.
        DURATION: Length of a window in microseconds, unless the data set is built with
            another ``duration``.

    Raises:
        TypeError: If ``data_root`` is not a path.
        ValueError: If the split is unknown, files are missing, or there are no samples
            (:class:`~mmsnn.utils.errors.UserError`).
    """

    SENSOR_SIZE: ClassVar[tuple[int, int]]
    DURATION: ClassVar[int]

    def __init__(
        self,
        data_root: str | os.PathLike[str],
        split: str = 'train',
        metainfo: Mapping[str, Any] | None = None,
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
            metainfo=metainfo,
            pipeline=list(pipeline),
            indices=indices,
            serialize_data=serialize_data,
            test_mode=test_mode,
            lazy_init=lazy_init,
        )

    @classmethod
    def image_size(cls) -> tuple[int, int]:
        """Return the height and width of the samples before the pipeline."""
        return cls.SENSOR_SIZE

    @abstractmethod
    def load_data_list(self) -> list[dict[str, Any]]:
        """List the samples of the split."""

    def make_sample(
        self,
        path: Path,
        layout: str,
        window: tuple[int, int],
        boxes: np.ndarray,
    ) -> dict[str, Any] | None:
        """Return a sample, or None if it has no boxes to train with.

        Args:
            path: File of the events.
            layout: Format of the file, a key of :data:`.recordings.RECORDINGS`.
            window: Begin (inclusive) and end (exclusive) in microseconds.
            boxes: Structured array with fields x, y, w, h, cropped to the sensor, and
                ``label``, the index of the class.
        """
        height, width = self.image_size()
        if not self.test_mode:
            boxes = boxes[boxes['w'] <= _MAX_WIDTH * width]
            if not len(boxes):
                return None
        return dict(
            img_path=str(path),
            layout=layout,
            window=window,
            recording=str(path.relative_to(self.data_root)),
            event_time=window[1],
            height=height,
            width=width,
            instances=[_instance(box) for box in boxes],
        )

    def finish(
        self, samples: Sequence[dict[str, Any] | None], skipped: Mapping[str, int]
    ) -> list[dict[str, Any]]:
        """Number the samples, and report how many labelled times are skipped and why.

        Raises:
            UserError: If there are no samples.
        """
        reasons = ', '.join(f'{n} {why}' for why, n in skipped.items() if n)
        if reasons:
            print_log(
                f'{type(self).__name__} {self.split}: skipped labelled times: '
                f'{reasons}',
                logger='current',
                level=logging.WARNING,
            )
        found = [sample for sample in samples if sample is not None]
        if not found:
            raise UserError(
                f'{type(self).__name__}: the {self.split} split of '
                f'{self.data_root!r} has no labelled times'
                + (f' (skipped: {reasons})' if reasons else '')
            )
        for number, sample in enumerate(found):
            sample['img_id'] = number
        return found

    @classmethod
    def _load_metainfo(cls, metainfo: Mapping[str, Any] | None = None) -> dict:
        """Check that the classes are among those of the data set, and add colours.

        Raises:
            UserError: If one is not.
        """
        found = with_colors(super()._load_metainfo(metainfo))
        for name in found['classes']:
            check_choice('each class of metainfo', name, cls.METAINFO['classes'])
        return found


def _instance(box: np.ndarray) -> dict[str, Any]:
    x, y, w, h = (float(box[name]) for name in 'xywh')
    return dict(bbox=[x, y, x + w, y + h], bbox_label=int(box['label']), ignore_flag=0)
