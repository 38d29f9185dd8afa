"""Frames of event recordings as images of many channels, and their packing.

The frames of a window are loaded as an image ``[H, W, T * C]``, so that MMDetection's
own transforms (``RandomFlip``, ``Resize``, ``RandomCrop``, ``Expand``, ``Pad``) move
frames and boxes alike. ``PackEventDetInputs`` separates the time steps again.
"""

from pathlib import Path
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness
from mmdet.datasets.transforms import PackDetInputs

from mmsnn.datasets.events.detection.recordings import RECORDINGS, count_events
from mmsnn.registry import TRANSFORMS
from mmsnn.utils import check_number, check_positive_int
from mmsnn.utils.errors import UserError

_META_KEYS = (
    *('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'flip'),
    *('flip_direction', 'recording', 'event_time', 'instances'),
)


@TRANSFORMS.register_module()
class LoadEventWindow(BaseTransform):
    """Loads a window of a recording as T frames of event counts.

    The window is divided into ``num_steps * num_bins`` slices of equal duration.
    Channel ``2 * bin + polarity`` of frame t is the number of events of that polarity
    in slice ``t * num_bins + bin``.

    **Required keys:** img_path, layout, window, height, width.

    **Added keys:** img (float32 ``[H, W, T * 2 * num_bins]``, time step first),
    num_steps, ori_shape and img_shape (``(H, W)``), scale_factor.

    Args:
        num_steps: Number of frames T.
        num_bins: Number of slices per frame.

    Raises:
        TypeError: If a number is not an integer.
        ValueError: If a number is less than 1, or, when called, if the recording is
            damaged (:class:`~mmsnn.utils.errors.UserError`).
    """

    def __init__(self, num_steps: int, num_bins: int = 1) -> None:
        self.num_steps = check_positive_int('num_steps', num_steps)
        self.num_bins = check_positive_int('num_bins', num_bins)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add the frames of a sample."""
        window, size = results['window'], (results['height'], results['width'])
        events = RECORDINGS[results['layout']](Path(results['img_path']), window, size)
        frames = count_events(events, window, self.num_steps, self.num_bins, size)
        return self.add_frames(results, frames)

    def add_frames(self, results: dict[str, Any], frames: np.ndarray) -> dict[str, Any]:
        """Add frames to the results as an image of T * C channels."""
        size = frames.shape[-2:]
        image = frames.reshape(-1, *size).transpose(1, 2, 0)
        results['img'] = np.ascontiguousarray(image, np.float32)
        results['num_steps'] = self.num_steps
        results['ori_shape'] = results['img_shape'] = size
        results['scale_factor'] = (1.0, 1.0)
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(num_steps={self.num_steps}, '
            f'num_bins={self.num_bins})'
        )


@TRANSFORMS.register_module()
class RandomEventNoise(BaseTransform):
    """Adds background activity: events at random pixels and times.

    **Modified keys:** img.

    Args:
        rate: Expected number of added events per pixel and channel of a frame.

    Raises:
        TypeError: If ``rate`` is not a number.
        ValueError: If ``rate`` is negative or not finite.
    """

    def __init__(self, rate: float) -> None:
        self.rate = check_number('rate', rate)
        if self.rate < 0:
            raise ValueError(f'rate must not be negative, but got {rate}')

    @cache_randomness
    def _draw(self, shape: tuple[int, ...]) -> np.ndarray:
        return np.random.poisson(self.rate, shape).astype(np.float32)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add the events."""
        results['img'] = results['img'] + self._draw(results['img'].shape)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(rate={self.rate})'


@TRANSFORMS.register_module()
class PackEventDetInputs(PackDetInputs):
    """MMDetection's ``PackDetInputs`` for frames of events.

    The inputs are ``[T, C, H, W]``. Metadata have the recording, the labelled time and
    the labelled boxes in pixels of the sensor as well, for
    :class:`mmsnn.evaluation.EventCocoMetric`.

    **Required keys:** img ``[H, W, T * C]`` and num_steps, see
    :class:`LoadEventWindow`.

    Raises:
        ValueError: When called, if the channels are not a multiple of the time steps.
    """

    def __init__(self, meta_keys: tuple[str, ...] = _META_KEYS) -> None:
        super().__init__(meta_keys)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Pack a sample."""
        num_steps = results['num_steps']
        if results['img'].ndim != 3 or results['img'].shape[2] % num_steps:
            raise UserError(
                f'the channels of the frames must be a multiple of the {num_steps} '
                f'time steps, but have shape {list(results["img"].shape)}'
            )
        packed: dict[str, Any] = super().transform(results)
        packed['inputs'] = packed['inputs'].unflatten(0, (num_steps, -1))
        return packed
