"""Transforms of event frames: random temporal delete, flip, roll and resize.

They change ``results['frames']``, ``[T, 2, H, W]``, apply the same operation to all
frames of a sample, and use NumPy's global generator, which MMEngine seeds per worker.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness

from mmsnn.registry import TRANSFORMS
from mmsnn.utils import check_choice, check_number, check_positive_int, describe
from mmsnn.utils.errors import UserError

# Keys of annotations with positions in MMCV's and MMDetection's transforms.
_PLACED = (
    'gt_bboxes',
    'gt_instances',
    'gt_keypoints',
    'gt_masks',
    'gt_panoptic_seg',
    'gt_seg_map',
    'gt_sem_seg',
    'instances',
    'proposals',
)


class MovingTransform(BaseTransform):
    """Base class of transforms that move pixels of frames but not annotations.

    Raises:
        ValueError: When called with annotations that have positions, such as
            ``gt_bboxes`` (:class:`~mmsnn.utils.errors.UserError`).
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Check that no annotation has positions, then transform the frames."""
        placed = [key for key in _PLACED if results.get(key) is not None]
        if placed:
            raise UserError(
                f'{type(self).__name__} moves pixels, but not {", ".join(placed)}: '
                'for frames with boxes, use mmsnn.LoadEventWindow and the transforms '
                'of MMDetection'
            )
        return self.move(results)

    def move(self, results: dict[str, Any]) -> dict[str, Any]:
        """Transform the frames."""
        raise NotImplementedError(f'{type(self).__name__} defines no move')


@TRANSFORMS.register_module()
class RandomTemporalDelete(BaseTransform):
    """Keeps a random subset of the frames, in their order, and deletes the others.

    It reduces overfitting and is used in training only (SEW paper, A.2: 12 of 16).

    Args:
        num_keep: Number of frames to keep.

    Raises:
        TypeError: If ``num_keep`` is not an integer.
        ValueError: If ``num_keep`` is less than 1 or, when called, exceeds the number
            of frames.
    """

    def __init__(self, num_keep: int) -> None:
        self.num_keep = check_positive_int('num_keep', num_keep)

    @cache_randomness
    def _draw(self, num_steps: int) -> np.ndarray:
        return np.sort(np.random.choice(num_steps, self.num_keep, replace=False))

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Delete frames."""
        frames = results['frames']
        if len(frames) < self.num_keep:
            raise ValueError(
                f'RandomTemporalDelete must keep {self.num_keep} frames, '
                f'but there are {len(frames)}'
            )
        results['frames'] = frames[self._draw(len(frames))]
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(num_keep={self.num_keep})'


@TRANSFORMS.register_module()
class RandomFlipFrames(MovingTransform):
    """Flips the frames horizontally with a given probability.

    Do not use it with DVS128 Gesture, which has separate classes for the right and the
    left hand.

    **Added keys:** flip, flip_direction.

    Args:
        prob: Probability, 0 to 1.

    Raises:
        TypeError: If ``prob`` is not a number.
        ValueError: If ``prob`` is not in [0, 1].
    """

    def __init__(self, prob: float = 0.5) -> None:
        self.prob = check_number('prob', prob)
        if not 0 <= self.prob <= 1:
            raise ValueError(f'prob must be from 0 to 1, but got {prob}')

    @cache_randomness
    def _draw(self) -> bool:
        return bool(np.random.random() < self.prob)

    def move(self, results: dict[str, Any]) -> dict[str, Any]:
        """Flip the frames with probability ``prob``."""
        results['flip'] = self._draw()
        results['flip_direction'] = 'horizontal' if results['flip'] else None
        if results['flip']:
            # PyTorch does not support negative strides
            results['frames'] = np.ascontiguousarray(results['frames'][..., ::-1])
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(prob={self.prob})'


@TRANSFORMS.register_module()
class RandomRollFrames(MovingTransform):
    """Shifts the frames cyclically by random numbers of rows and columns.

    Args:
        max_shift: Largest shift in pixels; shifts are drawn uniformly from -max_shift
            to max_shift.

    Raises:
        TypeError: If ``max_shift`` is not an integer.
        ValueError: If ``max_shift`` is less than 1.
    """

    def __init__(self, max_shift: int = 5) -> None:
        self.max_shift = check_positive_int('max_shift', max_shift)

    @cache_randomness
    def _draw(self) -> tuple[int, int]:
        rows, columns = np.random.randint(-self.max_shift, self.max_shift + 1, size=2)
        return int(rows), int(columns)

    def move(self, results: dict[str, Any]) -> dict[str, Any]:
        """Shift the frames."""
        results['frames'] = np.roll(results['frames'], self._draw(), axis=(-2, -1))
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(max_shift={self.max_shift})'


@TRANSFORMS.register_module()
class ResizeFrames(MovingTransform):
    """Resizes the frames.

    ``'nearest'`` (common in the event literature) and ``'bilinear'`` (anti-aliased)
    preserve the event density: values are still events per pixel of the sensor, and the
    sum over the frame changes with its area. ``'sum'`` preserves the number of events:
    each event is counted in the coarser pixel that contains it, as with a sensor of
    lower resolution. It can only reduce the size.

    **Changed keys:** frames, img_shape.

    Args:
        size: Height and width in pixels, or one number for both.
        interpolation: ``'nearest'``, ``'bilinear'`` or ``'sum'``.

    Raises:
        TypeError: If a size is not an integer.
        ValueError: If a size is less than 1 or the interpolation is unknown, or, when
            called, if ``'sum'`` would enlarge the frames.
    """

    def __init__(
        self, size: int | Sequence[int], interpolation: str = 'nearest'
    ) -> None:
        sides = [size, size] if not isinstance(size, list | tuple) else list(size)
        if len(sides) != 2:
            raise ValueError(
                f'size must be one number or height and width, but got {describe(size)}'
            )
        self.height, self.width = (check_positive_int('size', side) for side in sides)
        check_choice('interpolation', interpolation, ('nearest', 'bilinear', 'sum'))
        self.interpolation = interpolation

    @property
    def output_size(self) -> tuple[int, int]:
        """Height and width of the frames after the transform."""
        return self.height, self.width

    def move(self, results: dict[str, Any]) -> dict[str, Any]:
        """Resize the frames."""
        frames = results['frames']
        if self.interpolation == 'sum':
            frames = self._sum(self._sum(frames, -2, self.height), -1, self.width)
        else:
            # imported lazily, because the import is slow
            from torchvision.transforms import InterpolationMode
            from torchvision.transforms.functional import resize

            mode = InterpolationMode(self.interpolation)
            size = [self.height, self.width]
            resized = resize(torch.from_numpy(frames), size, mode, antialias=True)
            frames = resized.numpy()
        results['frames'] = frames
        results['img_shape'] = frames.shape[-2:]
        return results

    def _sum(self, frames: np.ndarray, axis: int, size: int) -> np.ndarray:
        """Sum pixels along an axis: pixel i of n is added to ``i * size // n``."""
        length = frames.shape[axis]
        if size > length:
            raise ValueError(
                "ResizeFrames with interpolation='sum' can only reduce the size, but "
                f'{length} pixels would become {size}'
            )
        starts = -(-np.arange(size) * length // size)
        return np.add.reduceat(frames, starts, axis=axis)

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(size=({self.height}, {self.width}), '
            f'interpolation={self.interpolation!r})'
        )
