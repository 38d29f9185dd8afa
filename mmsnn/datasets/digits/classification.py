"""The bundled digits as a classification set: nothing is downloaded or written."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from mmengine.dataset import BaseDataset

from mmsnn.registry import DATASETS
from mmsnn.utils import check_choice

from .making import CLASSES, load_materials

# The default seed of the digits detection set.
_SEED = 0
# The splits of the detection set that use the same digits.
_POOLS = {'train': 'train', 'test': 'val'}


@DATASETS.register_module()
class DigitsClassification(BaseDataset):
    """scikit-learn's 1797 handwritten digits of 8x8 pixels, in ten classes.

    The split is fixed: a fifth of each class, drawn with seed 0, is for testing (359
    images), the rest (1438) for training. It is the split of the bundled detection
    set, so that a backbone trained here has not seen the digits that a detector is
    validated with.

    Images are ``uint8 [8, 8, 3]``, bright on black, with three equal channels, so that
    a backbone trained on them also accepts colour images.

    Args:
        split: ``'train'`` or ``'test'``.
        pipeline: MMPretrain's transforms.
        indices: Indices of the images to use, or a number n to use the first n.
        test_mode: See MMEngine's ``BaseDataset``.
        lazy_init: See MMEngine's ``BaseDataset``.

    Raises:
        ValueError: If ``split`` is unknown.
        ModuleNotFoundError: If scikit-learn is not installed.
    """

    METAINFO: ClassVar[dict[str, Any]] = {'classes': CLASSES}

    @classmethod
    def image_size(cls) -> tuple[int, int]:
        """Return the height and width of the images."""
        return 8, 8

    def __init__(
        self,
        split: str,
        pipeline: Sequence[Mapping[str, Any] | Callable] = (),
        indices: int | Sequence[int] | None = None,
        test_mode: bool = False,
        lazy_init: bool = False,
    ) -> None:
        check_choice('split', split, _POOLS)
        self.split = split
        super().__init__(
            pipeline=pipeline,
            indices=indices,
            test_mode=test_mode,
            lazy_init=lazy_init,
        )

    def load_data_list(self) -> list[dict[str, Any]]:
        """Return the image and the class of each digit of the split."""
        material = load_materials(_SEED)[_POOLS[self.split]]
        return [
            dict(
                img=np.repeat(material.glyphs[index][:, :, None], 3, axis=2),
                gt_label=int(material.labels[index]),
            )
            for index in material.pool
        ]
