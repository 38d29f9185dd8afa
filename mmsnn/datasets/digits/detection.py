"""The bundled digits detection set, for MMDetection's data loaders."""

from collections.abc import Mapping
from typing import Any, ClassVar

from mmdet.datasets import CocoDataset

from mmsnn.datasets.palettes import with_colors
from mmsnn.registry import DATASETS

from .making import CLASSES


@DATASETS.register_module()
class DigitsDetectionDataset(CocoDataset):
    """The bundled digits detection set: ten classes, '0' to '9'.

    Made by ``tools/dataset_tools/digits_detection.py``. The options are those of
    MMDetection's ``CocoDataset``; other classes, given in ``metainfo``, get colours.
    """

    METAINFO: ClassVar[dict[str, Any]] = {
        'classes': CLASSES,
        # a list, because MMDetection interprets a tuple as one colour
        'palette': [
            (230, 25, 75),
            (60, 180, 75),
            (255, 225, 25),
            (0, 130, 200),
            (245, 130, 48),
            (145, 30, 180),
            (70, 240, 240),
            (240, 50, 230),
            (170, 110, 40),
            (128, 128, 128),
        ],
    }

    @classmethod
    def _load_metainfo(cls, metainfo: Mapping[str, Any] | None = None) -> dict:
        """Add colours for the classes of a config."""
        return with_colors(super()._load_metainfo(metainfo))
