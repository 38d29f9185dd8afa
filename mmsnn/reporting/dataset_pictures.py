"""Pictures of the samples of a data set, with their annotations."""

from typing import Any

import mmcv
import numpy as np
from mmengine.config import Config
from mmengine.registry import VISUALIZERS
from mmengine.visualization import Visualizer

from mmsnn.datasets.palettes import with_colors
from mmsnn.utils.errors import UserError

# Shorter side that is legible with labels, in pixels.
LEGIBLE = 320
# Frames a row of a picture of events.
COLUMNS = 8


def to_image(inputs: Any, rgb: bool) -> np.ndarray:
    """Return what a pipeline packed as an RGB image.

    Args:
        inputs: An image [1 or 3, H, W], or event frames [T, 2, H, W].
        rgb: Whether the channels of an image are in this order, or else BGR.

    Returns:
        The image [height, width, 3], uint8.
    """
    array = inputs.numpy()
    if array.ndim == 4:
        return tile_frames(array)
    image = array.transpose(1, 2, 0)
    if image.shape[2] == 1:
        image = image.repeat(3, axis=2)
    elif not rgb:
        image = image[..., ::-1]
    return np.ascontiguousarray(image.clip(0, 255).astype(np.uint8))


def tile_frames(frames: np.ndarray) -> np.ndarray:
    """Return event frames [T, 2, H, W] as an image of rows of frames.

    The more events a pixel has, the stronger its colour, up to the 99th percentile of
    the pixels with events.
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
    """Enlarge a small image, and the boxes of its sample in place."""
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
        # from boxes with methods to the plain ones that visualizers take
        objects.bboxes = getattr(objects.bboxes, 'tensor', objects.bboxes)
        image = enlarge(image, sample)
        visualizer.add_datasample('', image, sample, draw_pred=False, **options)
    else:
        visualizer.visualize_cls(
            enlarge(image, sample), sample, draw_pred=False, **options
        )


def build_visualizer(cfg: Config, metainfo: Any) -> Visualizer:
    """Build the config's visualizer, without backends of a run.

    Raises:
        UserError: If the config has none.
    """
    if cfg.get('visualizer') is None:
        raise UserError(f'config {cfg.filename!r} defines no visualizer')
    settings = {**cfg.visualizer, 'vis_backends': None, 'name': 'browse'}
    visualizer = VISUALIZERS.build(settings)
    visualizer.dataset_meta = with_colors(metainfo)
    return visualizer
