"""Pictures and videos of detections, written one by one."""

from pathlib import Path
from types import TracebackType
from typing import Self

import cv2
import numpy as np
from PIL import Image

from mmsnn.utils.errors import UserError


class PictureWriter:
    """Context manager that writes pictures to files, and frames to videos.

    A video is finished when a picture with another name is written.

    Args:
        folder: Output folder; subfolders are created.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._video: cv2.VideoWriter | None = None
        self._size = (0, 0)
        self._name = ''

    def __enter__(self) -> Self:
        return self

    def write(self, name: str, picture: np.ndarray, fps: float | None = None) -> None:
        """Write a picture, or the next frame of a video.

        Args:
            name: Path in the folder; its suffix determines the format.
            picture: RGB ``uint8 [H, W, 3]``.
            fps: Frames per second of the video; None for a picture.

        Raises:
            UserError: If a video cannot be written.
        """
        path = self.folder / name
        if name != self._name:
            self.close()
            path.parent.mkdir(parents=True, exist_ok=True)
        if fps is None:
            Image.fromarray(picture).save(path)
            return
        # the codec needs even sizes
        picture = picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2]
        if self._video is None:
            self._name = name
            self._size = (picture.shape[1], picture.shape[0])
            code = cv2.VideoWriter.fourcc(*'mp4v')
            self._video = cv2.VideoWriter(str(path), code, fps, self._size)
            if not self._video.isOpened():
                raise UserError(f'video {str(path)!r} cannot be written')
        if picture.shape[1::-1] != self._size:
            # OpenCV drops frames of another size
            picture = cv2.resize(picture, self._size)
        self._video.write(np.ascontiguousarray(picture[..., ::-1]))

    def close(self) -> None:
        """Finish the video, if one is open."""
        if self._video is not None:
            self._video.release()
        self._video, self._name = None, ''

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


__all__ = ['PictureWriter']
