"""Some classes of ImageNet, drawn by seed."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from mmpretrain.datasets import ImageNet

from mmsnn.registry import DATASETS
from mmsnn.utils import check_choice, check_positive_int, describe


def draw_classes(num_classes: int, total: int, seed: int) -> tuple[int, ...]:
    """Draw classes at random, without repetition.

    They are the first of ``numpy.random.RandomState(seed).permutation(total)``, a
    sequence that NumPy promises not to change. With the same seed, few classes are
    therefore among the many.

    Args:
        num_classes: How many.
        total: Of how many.
        seed: The generator's seed, 0 to 2**32 - 1.

    Returns:
        Their indices, ascending.

    Raises:
        TypeError: If a number is no integer.
        ValueError: If there are not so many classes, or the seed is out of range.
    """
    if check_positive_int('num_classes', num_classes) > total:
        raise ValueError(
            f'num_classes must be at most {total}, the number of classes that there '
            f'are, but got {num_classes}'
        )
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
        raise TypeError(f'seed must be an integer, but got {describe(seed)}')
    if not 0 <= seed < 2**32:
        raise ValueError(f'seed must be 0 to 2**32 - 1, but got {seed}')
    order = np.random.RandomState(seed).permutation(total)
    return tuple(sorted(int(index) for index in order[:num_classes]))


@DATASETS.register_module()
class ImageNetSubset(ImageNet):
    """Classes of ImageNet drawn at random, as ImageNet-5, -20 and -100 of Li et al.

    The files are those of the whole ImageNet, which MMPretrain's ``ImageNet`` reads,
    with the folders of all classes. Which classes the paper drew is not known.

    Args:
        num_classes: How many classes K; they are labelled 0 to K - 1, in the order
            that they have in ImageNet.
        seed: Which classes, see :func:`draw_classes`. Training and validation must
            have the same.
        data_root: Folder of ``train/``, ``val/`` and, if images lie flat, ``meta/``.
        split: ``'train'`` or ``'val'``; the test images have no labels.
        pipeline: MMPretrain's transforms.
        metainfo: ``classes`` are the names of all classes, to draw from others than
            ImageNet's thousand.
        indices: Take only these images, or only the first so many.
        test_mode: See MMEngine's ``BaseDataset``.
        lazy_init: See MMEngine's ``BaseDataset``.

    Attributes:
        class_ids: The drawn classes, by their labels in the whole ImageNet.

    Raises:
        TypeError: If a number is no integer.
        ValueError: If ``split`` is neither, there are not so many classes, or the seed
            is out of range.
    """

    def __init__(
        self,
        num_classes: int,
        seed: int,
        data_root: str,
        split: str,
        pipeline: Sequence[Mapping[str, Any] | Callable] = (),
        metainfo: Mapping[str, Any] | None = None,
        indices: int | Sequence[int] | None = None,
        test_mode: bool = False,
        lazy_init: bool = False,
    ) -> None:
        check_choice('split', split, ('train', 'val'))
        super().__init__(
            data_root=data_root,
            split=split,
            pipeline=pipeline,
            metainfo=metainfo,
            indices=indices,
            test_mode=test_mode,
            lazy_init=True,
        )
        self._whole = tuple(self._metainfo['classes'])
        self.class_ids = draw_classes(num_classes, len(self._whole), seed)
        self._metainfo['classes'] = tuple(self._whole[i] for i in self.class_ids)
        if not lazy_init:
            self.full_init()

    def load_data_list(self) -> list[dict[str, Any]]:
        """Return the path and the new label of each image of the drawn classes."""
        drawn = self._metainfo['classes']
        # MMPretrain compares the folders with the classes
        self._metainfo['classes'] = self._whole
        try:
            images = super().load_data_list()
        finally:
            self._metainfo['classes'] = drawn
        labels = {old: new for new, old in enumerate(self.class_ids)}
        return [
            {**image, 'gt_label': labels[image['gt_label']]}
            for image in images
            if image['gt_label'] in labels
        ]
