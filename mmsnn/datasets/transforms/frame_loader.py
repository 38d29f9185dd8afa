"""Base class of the transforms that load frames of events."""

from abc import abstractmethod
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from mmsnn.datasets.events.values import Events
from mmsnn.utils.errors import UserError


class FrameLoader(BaseTransform):
    """Loads the T frames of a sample, ``[T, C, H, W]``.

    A loader states the numbers of its frames and channels, and how frames enter the
    results, so that the analyses can give a model random frames without its data set.

    Attributes:
        num_steps: Number of frames T.
        num_channels: Number of channels C of a frame.
    """

    num_steps: int
    num_channels: int

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add the frames of a sample."""
        return self.add_frames(results, self.load(results))

    @abstractmethod
    def load(self, results: dict[str, Any]) -> np.ndarray:
        """Return the frames of a sample, ``[T, C, H, W]``."""

    def integrate(self, results: dict[str, Any], events: Events) -> np.ndarray:
        """Return the frames of events that have been read from a recording.

        Args:
            results: The window, and the height and width of the sensor.
            events: The events in the window.

        Raises:
            UserError: If the loader does not make frames of single events.
        """
        raise UserError(f'{type(self).__name__} makes no frames of event recordings')

    @abstractmethod
    def add_frames(self, results: dict[str, Any], frames: np.ndarray) -> dict[str, Any]:
        """Add frames, ``[T, C, H, W]``, to the results, and return these."""


__all__ = ['FrameLoader']
