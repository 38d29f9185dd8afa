"""Drawing of a network's input image, and of maps over it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage

from mmsnn.analysis.recorders.one_image import InputImage
from mmsnn.utils.config_types import loads_image_files, preprocessor_settings
from mmsnn.utils.preflight import innermost_dataset

LUMA = (0.299, 0.587, 0.114)
# Opacity of a map over the picture.
MAP_ALPHA = 0.65
_ON, _OFF = np.array([0.84, 0.15, 0.16]), np.array([0.12, 0.47, 0.71])


def picture_settings(cfg: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the settings with which :func:`restore_image` undoes a config's pipeline.

    They are those of the data preprocessor, and ``loads_rgb``: whether the test set
    keeps RGB images in memory, such as MMPretrain's CIFAR10.
    """
    pipeline = innermost_dataset(cfg['test_dataloader']['dataset']).get('pipeline')
    loads_rgb = not loads_image_files(pipeline or ())
    return {**(preprocessor_settings(cfg) or {}), 'loads_rgb': loads_rgb}


def restore_image(
    image: InputImage, preprocessor: Mapping[str, Any] | None = None
) -> np.ndarray:
    """Return the original picture of a network's input.

    Undoes the normalisation and crops the padding. Frames of events, with two channels
    (polarities) per bin, are summed over time and drawn on white, ON events in red and
    OFF events in blue; other frames are averaged.

    Args:
        image: The network's input.
        preprocessor: Result of :func:`picture_settings`. Without ``mean`` and
            ``std``, values are intensities from 0 to 255. Three channels are BGR if
            image files are loaded, RGB with ``loads_rgb``; ``bgr_to_rgb``,
            ``rgb_to_bgr`` (MMDetection) and ``to_rgb`` (MMPretrain) swap them.

    Returns:
        The RGB picture, ``[height, width, 3]``, uint8.

    Raises:
        ValueError: If the number of channels is not 1, 3 or even.
    """
    cfg = preprocessor or {}
    frames = image.values[..., : image.height, : image.width].astype(np.float64)
    frames = frames if frames.ndim == 4 else frames[None]
    channels = frames.shape[1]
    if channels not in (1, 3) and channels % 2:
        raise ValueError(
            'images must have 1 or 3 channels, and events 2 per bin, but the input has '
            f'{channels}'
        )
    if cfg.get('mean') is not None:
        # preprocessors have one number for all channels or one per channel
        mean, std = (np.reshape(cfg[key], (-1, 1, 1)) for key in ('mean', 'std'))
        frames = frames * std + mean
    if channels % 2 == 0:
        return draw_events(sum_bins(frames).sum(0))
    pixels = frames.mean(0).transpose(1, 2, 0)
    swapped = any(cfg.get(key) for key in ('bgr_to_rgb', 'rgb_to_bgr', 'to_rgb'))
    if channels == 3 and swapped == bool(cfg.get('loads_rgb')):
        pixels = pixels[..., ::-1]
    pixels = np.broadcast_to(pixels, (*pixels.shape[:2], 3))
    return pixels.round().clip(0, 255).astype(np.uint8)


def sum_bins(frames: np.ndarray) -> np.ndarray:
    """Return the numbers of OFF and ON events in all bins of each frame.

    Args:
        frames: ``[T, 2 * num_bins, H, W]``; channel ``2 * bin + polarity``.

    Returns:
        ``[T, 2, H, W]``.
    """
    num_steps, channels, height, width = frames.shape
    return frames.reshape(num_steps, channels // 2, 2, height, width).sum(1)


def draw_events(counts: np.ndarray) -> np.ndarray:
    """Draw numbers of OFF and ON events on one colour scale.

    Args:
        counts: ``[..., 2, H, W]``.

    Returns:
        RGB pictures, ``[..., H, W, 3]``, uint8.
    """
    positive = counts[counts > 0]
    full = np.percentile(positive, 95) if positive.size else 1.0
    shares = np.clip(counts / full, 0, 1)[..., None]
    off, on = shares[..., 0, :, :, :], shares[..., 1, :, :, :]
    white = 1 - on * (1 - _ON) - off * (1 - _OFF)
    return (255 * white.clip(0, 1)).round().astype(np.uint8)


def show_image(axes: Axes, image: InputImage, pixels: np.ndarray) -> None:
    """Show the picture without ticks."""
    axes.imshow(pixels, extent=(0, image.width, image.height, 0))
    _fit(axes, image)


def show_map(
    axes: Axes,
    values: np.ndarray,
    image: InputImage,
    limits: tuple[float, float],
    cmap: str,
    pixels: np.ndarray | None = None,
    interpolation: str = 'nearest',
) -> AxesImage:
    """Show a map of rates or weights, over the picture if it is given.

    Args:
        axes: The axes to draw in.
        values: Map ``[H, W]`` of the whole input with its padding, which is cropped.
        image: The network's input.
        limits: Values of the first and the last colour.
        cmap: Name of the colour map.
        pixels: The picture, drawn in grey below the map.
        interpolation: How Matplotlib enlarges the map.

    Returns:
        The drawn map, for a colour bar.
    """
    low, high = limits
    rows, columns = image.values.shape[-2:]
    if pixels is not None:
        grey = pixels @ np.array(LUMA)
        extent = (0, image.width, image.height, 0)
        axes.imshow(grey, cmap='gray', vmin=0, vmax=255, extent=extent)
    drawn = axes.imshow(
        values,
        cmap=cmap,
        vmin=low,
        vmax=high,
        alpha=None if pixels is None else MAP_ALPHA,
        interpolation=interpolation,
        extent=(0, columns, rows, 0),
    )
    _fit(axes, image)
    return drawn


def _fit(axes: Axes, image: InputImage) -> None:
    axes.set(xlim=(0, image.width), ylim=(image.height, 0), xticks=[], yticks=[])
    axes.set_aspect('equal')
