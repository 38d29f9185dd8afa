"""Random subsets of ImageNet's classes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from mmpretrain.datasets import ImageNet

from mmsnn.registry import DATASETS
from mmsnn.utils import check_choice, check_positive_int, describe


def draw_classes(num_classes: int, total: int, seed: int) -> tuple[int, ...]:
    """Draw classes at random, without repetition.

    They are the first ``num_classes`` of
    ``numpy.random.RandomState(seed).permutation(total)``, a sequence that NumPy keeps
    stable. With the same seed, a smaller subset is therefore contained in a larger one.

    Args:
        num_classes: Number of classes to draw.
        total: Number of classes to draw from.
        seed: Seed of the generator, 0 to 2**32 - 1.

    Returns:
        The indices of the classes, ascending.

    Raises:
        TypeError: If a number is not an integer.
        ValueError: If ``num_classes`` exceeds ``total`` or the seed is out of range.
    """
    if check_positive_int('num_classes', num_classes) > total:
        raise ValueError(
            f'num_classes must be at most {total}, the number of all classes, but got '
            f'{num_classes}'
        )
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
        raise TypeError(f'seed must be an integer, but got {describe(seed)}')
    if not 0 <= seed < 2**32:
        raise ValueError(f'seed must be 0 to 2**32 - 1, but got {seed}')
    order = np.random.RandomState(seed).permutation(total)
    return tuple(sorted(int(index) for index in order[:num_classes]))


@DATASETS.register_module()
class ImageNetSubset(ImageNet):
    """Random classes of ImageNet, as ImageNet-5, -20 and -100 of Li et al.

    The files are those of the full ImageNet with the folders of all classes, as read by
    MMPretrain's ``ImageNet``. The paper does not state which classes it uses.

    Args:
        num_classes: Number of classes K. Their labels are 0 to K - 1, in ImageNet's
            order.
        seed: Seed of the drawn classes, see :func:`draw_classes`. Training and
            validation must use the same seed.
        data_root: Folder with ``train/``, ``val/`` and, if the images are not in class
            folders, ``meta/``.
        split: ``'train'`` or ``'val'``; the test images have no labels.
        pipeline: MMPretrain's transforms.
        metainfo: With ``classes``, the names of all classes to draw from, instead of
            ImageNet's thousand.
        indices: Indices of the images to use, or a number n to use the first n.
        test_mode: See MMEngine's ``BaseDataset``.
        lazy_init: See MMEngine's ``BaseDataset``.

    Attributes:
        class_ids: Labels of the drawn classes in the full ImageNet.

    Raises:
        TypeError: If a number is not an integer.
        ValueError: If ``split`` is unknown, there are fewer classes than requested, or
            the seed is out of range.
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
        # MMPretrain requires that the folders match the classes
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
