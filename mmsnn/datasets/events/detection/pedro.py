"""PEDRo, persons seen by a robot's event camera."""

from pathlib import Path
from typing import Any, ClassVar
from xml.etree import ElementTree

import numpy as np

from mmsnn.registry import DATASETS
from mmsnn.utils.errors import UserError, reason_of

from ..base import list_names
from .base import EventDetectionDataset
from .box_filters import clip_boxes

_BOX = np.dtype([(name, '<f4') for name in 'xywh'] + [('label', '<i8')])


@DATASETS.register_module()
class PEDRoDetection(EventDetectionDataset):
    """PEDRo: persons, 346 x 260 pixels, samples of 40 ms (Boretti et al. 2023).

    The folder has ``numpy/SPLIT/NAME.npy`` with the events of a sample and
    ``xml/SPLIT/NAME.xml`` with its boxes in PASCAL VOC's format; the folder ``yolo``
    has the same boxes and is not read. Times are relative to the sample's first event.
    """

    METAINFO: ClassVar[dict[str, Any]] = {'classes': ('person',), 'palette': []}
    SENSOR_SIZE = (260, 346)
    DURATION = 40_000

    def load_data_list(self) -> list[dict[str, Any]]:
        """List the samples of the split."""
        folder = Path(self.data_root, 'numpy', self.split)
        samples = []
        for name in list_names(folder, '.npy'):
            labels = Path(self.data_root, 'xml', self.split, f'{name[:-4]}.xml')
            boxes = clip_boxes(read_voc_boxes(labels), self.SENSOR_SIZE)
            window = (0, self.DURATION)
            samples.append(self.make_sample(folder / name, 'npy', window, boxes))
        return self.finish(samples, {})


def read_voc_boxes(path: Path) -> np.ndarray:
    """Read the boxes of a PASCAL VOC file of one class, with the label 0.

    Raises:
        UserError: If the file cannot be read, or a box is incomplete or empty.
    """
    try:
        boxes = []
        for item in ElementTree.parse(path).iterfind('object/bndbox'):
            names = ('xmin', 'ymin', 'xmax', 'ymax')
            x, y, right, bottom = (float(item.findtext(name, '')) for name in names)
            if not (np.isfinite([x, y]).all() and right - x > 0 and bottom - y > 0):
                raise ValueError(
                    f'a box must have a positive size, but is {(x, y, right, bottom)}'
                )
            boxes.append((x, y, right - x, bottom - y, 0))
    except (OSError, ValueError, ElementTree.ParseError) as error:
        raise UserError(
            f'box file {str(path)!r} cannot be used: {reason_of(error)}'
        ) from error
    return np.array(boxes, _BOX)
