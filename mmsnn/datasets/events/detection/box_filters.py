"""Filters of boxes in the protocols of event cameras."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class BoxFilter:
    r"""Prophesee's filter of boxes, for ground truth and detections alike.

    A box is kept if :math:`t > t_0`, :math:`\sqrt{w^2 + h^2} \ge d` and
    :math:`\min(w, h) \ge s` (Perot et al. 2020, *Learning to detect objects with a 1
    megapixel event camera*).

    Attributes:
        min_diagonal: Smallest diagonal *d* in pixels.
        min_side: Smallest width and height *s* in pixels.
        min_time: Time :math:`t_0` in microseconds after which boxes count.
    """

    min_diagonal: float
    min_side: float
    min_time: int = 500_000

    def keeps(self, boxes: np.ndarray) -> np.ndarray:
        """Return which boxes are kept, ``[num_boxes]``, from fields t, w and h."""
        w, h = boxes['w'].astype(np.float64), boxes['h'].astype(np.float64)
        return (
            (boxes['t'] > self.min_time)
            & (w**2 + h**2 >= self.min_diagonal**2)
            & (w >= self.min_side)
            & (h >= self.min_side)
        )


GEN1_FILTER = BoxFilter(min_diagonal=30, min_side=10)
"""Filter of the Gen1 data set (304 x 240 pixels)."""

MEGAPIXEL_FILTER = BoxFilter(min_diagonal=60, min_side=20)
"""Filter of the 1 Mpx data set (1280 x 720 pixels)."""


def clip_boxes(boxes: np.ndarray, sensor_size: tuple[int, int]) -> np.ndarray:
    """Return boxes cropped to the sensor; a box outside it has no width or height.

    Args:
        boxes: Structured array with fields x, y, w, h.
        sensor_size: Height and width in pixels.
    """
    height, width = sensor_size
    clipped = boxes.copy()
    for origin, extent, limit in (('x', 'w', width), ('y', 'h', height)):
        low = np.clip(boxes[origin], 0, limit)
        high = np.clip(boxes[origin] + boxes[extent], 0, limit)
        clipped[origin], clipped[extent] = low, high - low
    return clipped
