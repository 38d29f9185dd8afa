"""Pictures of a data set's samples with their annotations."""

from typing import Any

import mmcv
import numpy as np
from mmengine.config import Config
from mmengine.registry import VISUALIZERS
from mmengine.visualization import Visualizer

from mmsnn.datasets.palettes import with_colors
from mmsnn.utils.errors import UserError

from .image_overlay import draw_events, sum_bins

# Minimum length of the shorter side in pixels, so that labels are legible.
LEGIBLE = 320
# Number of event frames per row of a picture.
COLUMNS = 8


def to_image(inputs: Any, rgb: bool, summed: bool = False) -> np.ndarray:
    """Return the inputs that a pipeline packed as an RGB image.

    Args:
        inputs: An image [1 or 3, H, W], or event frames [T, 2, H, W], or
            [T, 2 * bins, H, W] if they are summed.
        rgb: Whether the channels of an image are RGB; otherwise they are BGR.
        summed: Whether event frames are summed; otherwise they are shown side by side.

    Returns:
        The image [height, width, 3], uint8.
    """
    array = inputs.numpy()
    if array.ndim == 4:
        return draw_events(sum_bins(array).sum(0)) if summed else tile_frames(array)
    image = array.transpose(1, 2, 0)
    if image.shape[2] == 1:
        image = image.repeat(3, axis=2)
    elif not rgb:
        image = image[..., ::-1]
    return np.ascontiguousarray(image.clip(0, 255).astype(np.uint8))


def tile_frames(frames: np.ndarray) -> np.ndarray:
    """Return event frames [T, 2, H, W] as one image with rows of frames.

    The colour of a pixel is proportional to its number of events, up to the 99th
    percentile of the pixels with events.
    """
    active = frames[frames > 0]
    strongest = np.percentile(active, 99) if active.size else 1.0
    off, on = np.moveaxis((frames / strongest).clip(0, 1), 1, 0)
    red, green, blue = 1 - off, 1 - np.maximum(off, on), 1 - on
    pictures = (255 * np.stack([red, green, blue], axis=-1)).astype(np.uint8)
    framed = np.pad(pictures, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=160)
    missing = -len(framed) % min(COLUMNS, len(framed))
    blank = np.full((missing, *framed.shape[1:]), 255, np.uint8)
    framed = np.concatenate([framed, blank])
    columns = min(COLUMNS, len(framed))
    rows = [
        np.concatenate(list(framed[start : start + columns]), axis=1)
        for start in range(0, len(framed), columns)
    ]
    return np.concatenate(rows)


def enlarge(image: np.ndarray, sample: Any) -> np.ndarray:
    """Return an enlarged copy of a small image; scale its sample's boxes in place."""
    scale = -(-LEGIBLE // min(image.shape[:2]))
    objects = getattr(sample, 'gt_instances', None)
    if scale < 2 or (objects is not None and 'masks' in objects):
        return image
    if objects is not None and len(objects):
        objects.bboxes = objects.bboxes * scale
    return mmcv.imrescale(image, float(scale), interpolation='nearest')


def draw_sample(
    visualizer: Visualizer, image: np.ndarray, sample: Any, **options: Any
) -> None:
    """Draw the annotations of a sample on an image, and save or show it."""
    if hasattr(sample, 'gt_instances'):
        objects = sample.gt_instances
        # visualizers need plain tensors instead of box structures
        objects.bboxes = getattr(objects.bboxes, 'tensor', objects.bboxes)
        image = enlarge(image, sample)
        visualizer.add_datasample('', image, sample, draw_pred=False, **options)
    else:
        visualizer.visualize_cls(
            enlarge(image, sample), sample, draw_pred=False, **options
        )


def build_visualizer(cfg: Config, metainfo: Any) -> Visualizer:
    """Build the config's visualizer without its backends.

    Raises:
        UserError: If the config defines no visualizer.
    """
    if cfg.get('visualizer') is None:
        raise UserError(f'config {cfg.filename!r} defines no visualizer')
    settings = {**cfg.visualizer, 'vis_backends': None, 'name': 'browse'}
    visualizer = VISUALIZERS.build(settings)
    visualizer.dataset_meta = with_colors(metainfo)
    return visualizer
