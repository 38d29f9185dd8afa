"""Save pictures of what a model is trained with: images after the pipeline, annotated.

No display is needed. Boxes (and masks) are drawn by MMDetection's visualizer, a
classifier's labels by MMPretrain's; event frames are shown side by side, ON events red
and OFF events blue. Small images are enlarged. Usage:
    python tools/analysis_tools/browse_dataset.py CONFIG [--output-dir DIR]
        [--phase train|val|test] [--num-images 16] [--seed 0]
        [--show] [--show-interval 2] [--cfg-options KEY=VALUE ...]
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import _config
import numpy as np

if TYPE_CHECKING:
    from mmengine.config import Config
    from mmengine.visualization import Visualizer

# Shorter side that is legible with labels, in pixels.
LEGIBLE = 320
# Frames a row of a picture of events.
COLUMNS = 8


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description='Browse a data set')
    _config.add_config_options(parser)
    parser.add_argument(
        '--output-dir',
        action=_config.OutputFolder,
        help='folder of the pictures (default: work_dirs/NAME_OF_CONFIG/browse/PHASE)',
    )
    parser.add_argument(
        '--phase',
        choices=['train', 'val', 'test'],
        default='train',
        help="whose data set and pipeline (default: the training's)",
    )
    parser.add_argument(
        '--num-images',
        type=int,
        default=16,
        help='images at most, spread evenly over the data set (default: 16)',
    )
    parser.add_argument(
        '--seed',
        type=int,
        default=0,
        help="of the pipeline's augmentation (default: 0)",
    )
    parser.add_argument(
        '--show', action='store_true', help='show the pictures in a window, too'
    )
    parser.add_argument(
        '--not-show',
        action='store_false',
        dest='show',
        help='show no window, which is the default',
    )
    parser.add_argument(
        '--show-interval',
        type=float,
        default=2,
        help='seconds that a picture is shown (default: 2)',
    )
    return parser.parse_args()


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
    import mmcv

    scale = -(-LEGIBLE // min(image.shape[:2]))
    objects = getattr(sample, 'gt_instances', None)
    if scale < 2 or (objects is not None and 'masks' in objects):
        return image
    if objects is not None and len(objects):
        objects.bboxes = objects.bboxes * scale
    return mmcv.imrescale(image, float(scale), interpolation='nearest')


def draw(
    visualizer: 'Visualizer', image: np.ndarray, sample: Any, **options: Any
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


def build_visualizer(cfg: 'Config', metainfo: Any) -> 'Visualizer':
    """Build the config's visualizer, without backends of a run.

    Raises:
        UserError: If the config has none.
    """
    from mmengine.registry import VISUALIZERS

    from mmsnn.datasets.palettes import with_colors
    from mmsnn.utils.errors import UserError

    if cfg.get('visualizer') is None:
        raise UserError(f'config {cfg.filename!r} defines no visualizer')
    settings = {**cfg.visualizer, 'vis_backends': None, 'name': 'browse'}
    visualizer = VISUALIZERS.build(settings)
    visualizer.dataset_meta = with_colors(metainfo)
    return visualizer


def main() -> None:
    """Save the pictures."""
    args = parse_args()
    cfg = _config.read_config(args)
    from mmengine.runner import set_random_seed
    from mmengine.utils import track_iter_progress

    from mmsnn.utils.errors import UserError, first_line

    if args.num_images < 1:
        raise UserError(f'--num-images must be at least 1, but got {args.num_images}')
    from mmsnn.analysis.model_inputs import open_dataset

    dataset = open_dataset(cfg, args.phase)
    visualizer = build_visualizer(cfg, dataset.metainfo)
    default = Path('work_dirs', Path(args.config).stem, 'browse', args.phase)
    out_dir = Path(args.output_dir or default)
    # MMEngine's loaders give BGR; data sets that are in memory hold RGB.
    first = _config.pipeline_of(cfg, args.phase)[0]
    rgb = not first.startswith('LoadImage')

    set_random_seed(args.seed)
    number = min(args.num_images, len(dataset))
    chosen = np.linspace(0, len(dataset) - 1, number).round().astype(int).tolist()
    for index in track_iter_progress(chosen):
        try:
            item = dataset[index]
        except (AssertionError, KeyError, OSError, TypeError, ValueError) as error:
            raise UserError(
                f'sample {index} of the {args.phase} set cannot be prepared: '
                f'{first_line(error)}'
            ) from error
        sample = item['data_samples']
        path = sample.get('img_path') or sample.get('event_path') or 'image'
        draw(
            visualizer,
            to_image(item['inputs'], rgb),
            sample,
            show=args.show,
            wait_time=args.show_interval,
            out_file=str(out_dir / f'{index:06d}_{Path(path).stem}.png'),
        )
    print(f'\nSaved {number} pictures of {len(dataset)} in {out_dir}')


if __name__ == '__main__':
    _config.run(main)
