"""Save pictures of a data set with annotations, after its pipeline.

No display is needed. Boxes and masks are drawn by MMDetection's visualizer, a
classifier's labels by MMPretrain's; ON events are red and OFF events blue. A
classifier's event frames are shown side by side, a detector's are summed. Small images
are enlarged.

Examples:
    mmsnn browse CONFIG
    mmsnn browse CONFIG --phase test --num-images 4 --output-dir pictures
"""

import argparse
from pathlib import Path

from .common.options import OutputFolder, add_config_options
from .common.read_config import read_config


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add_config_options(parser)
    parser.add_argument(
        '--output-dir',
        action=OutputFolder,
        help='folder of the pictures (default: work_dirs/NAME_OF_CONFIG/browse/PHASE)',
    )
    parser.add_argument(
        '--phase',
        choices=['train', 'val', 'test'],
        default='train',
        help='split whose data set and pipeline are used (default: %(default)s)',
    )
    parser.add_argument(
        '--num-images',
        type=int,
        default=16,
        help='maximum number of images, evenly spaced in the data set (default: 16)',
    )
    parser.add_argument(
        '--seed',
        type=int,
        default=0,
        help='seed of the augmentation (default: 0)',
    )
    parser.add_argument(
        '--show', action='store_true', help='also show the pictures in a window'
    )
    parser.add_argument(
        '--not-show',
        action='store_false',
        dest='show',
        help='show no window (default)',
    )
    parser.add_argument(
        '--show-interval',
        type=float,
        default=2,
        help='seconds for which a picture is shown (default: 2)',
    )


def main(args: argparse.Namespace) -> None:
    """Save the pictures."""
    cfg = read_config(args)
    import numpy as np
    from mmengine.runner import set_random_seed
    from mmengine.utils import track_iter_progress

    from mmsnn.reporting.dataset_pictures import build_visualizer, draw_sample, to_image
    from mmsnn.utils.config_types import loads_image_files
    from mmsnn.utils.errors import UserError, first_line
    from mmsnn.utils.preflight import innermost_dataset

    if args.num_images < 1:
        raise UserError(f'--num-images must be at least 1, but got {args.num_images}')
    from mmsnn.analysis.model_inputs import open_dataset

    dataset = open_dataset(cfg, args.phase)
    visualizer = build_visualizer(cfg, dataset.metainfo)
    default = Path('work_dirs', Path(args.config).stem, 'browse', args.phase)
    out_dir = Path(args.output_dir or default)
    source = innermost_dataset(cfg[f'{args.phase}_dataloader'].dataset)
    rgb = not loads_image_files(source.get('pipeline') or ())

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
        draw_sample(
            visualizer,
            to_image(item['inputs'], rgb, summed=hasattr(sample, 'gt_instances')),
            sample,
            show=args.show,
            wait_time=args.show_interval,
            out_file=str(out_dir / f'{index:06d}_{Path(path).stem}.png'),
        )
    print(f'\nSaved {number} pictures of {len(dataset)} in {out_dir}')
