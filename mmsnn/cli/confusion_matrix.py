"""Draw and print which classes a model confuses.

The predictions are those that `mmsnn test --out` writes. A detector's matrix has an
additional row and column 'background', for detections without an object and for missed
objects. Each object and each detection is counted once: in descending order of their
scores, detections are matched to the remaining object with the highest IoU, whatever
its class. Detections on crowds and other ignored objects are left out.

Examples:
    mmsnn test CONFIG CHECKPOINT --out predictions.pkl
    mmsnn confusion-matrix CONFIG predictions.pkl work_dirs/confusion --score-thr 0.5
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .common.options import OutputFolder, add_config_options
from .common.progress import track
from .common.read_config import read_config

if TYPE_CHECKING:
    import numpy as np


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add_config_options(parser)
    parser.add_argument(
        'prediction_path',
        help='pickle written by mmsnn test --out; only tensors, numeric arrays and '
        'plain data are loaded from it, and no code in it is run',
    )
    parser.add_argument(
        'save_dir',
        action=OutputFolder,
        help='folder of confusion_matrix.png and .json',
    )
    parser.add_argument(
        '--score-thr',
        type=float,
        default=0.3,
        help='ignore detections with a lower score (default: 0.3)',
    )
    parser.add_argument(
        '--tp-iou-thr',
        type=float,
        default=0.5,
        help='minimum IoU of a detection and its object (default: 0.5)',
    )
    parser.add_argument(
        '--nms-iou-thr',
        type=float,
        help='IoU threshold of additional NMS per class (default: no NMS)',
    )
    parser.add_argument(
        '--color-theme', default='plasma', help='colormap of matplotlib'
    )


def read_predictions(path: str) -> list[Mapping[str, Any]]:
    """Read the predictions that ``mmsnn test --out`` wrote.

    Raises:
        UserError: If the file is missing or does not hold predictions.
    """
    from mmsnn.utils.errors import UserError
    from mmsnn.utils.safe_loading import UnsafeContentError, load_predictions

    what = f'predictions {path!r}'
    if not Path(path).is_file():
        raise UserError(f'{what} do not exist: mmsnn test --out FILE.pkl writes them')
    if not path.endswith(('.pkl', '.pickle')):
        raise UserError(f'{what} must end in .pkl or .pickle, as of mmsnn test --out')
    try:
        predictions = load_predictions(path)
    except UnsafeContentError as error:
        raise UserError(f'predictions {error}') from error
    except Exception as error:
        # other files raise exceptions of any type
        raise UserError(f'{what} cannot be read: {error}') from error
    if not isinstance(predictions, list) or not all(
        isinstance(each, Mapping) for each in predictions
    ):
        raise UserError(f'{what} are not those of mmsnn test --out')
    return predictions


def report(matrix: 'np.ndarray', names: Sequence[str], most: int = 10) -> None:
    """Print the number of correct predictions and the most frequent confusions."""
    import numpy as np

    from mmsnn.evaluation.confusion_matrix import BACKGROUND

    objects = [index for index, name in enumerate(names) if name != BACKGROUND]
    number, right = matrix[objects].sum(), np.trace(matrix)
    print(f'{right} of {number} are classified correctly', end='')
    if len(objects) < len(names):
        missed, invented = matrix[objects, -1].sum(), matrix[-1].sum()
        print(f', {missed} are missed, {invented} are false alarms', end='')
    print('\nThe most frequent confusions (true -> predicted):')
    wrong = matrix - np.diag(np.diag(matrix))
    for flat in np.argsort(-wrong, axis=None, kind='stable')[:most]:
        true, predicted = divmod(int(flat), len(names))
        if wrong[true, predicted]:
            print(f'{wrong[true, predicted]:6} {names[true]} -> {names[predicted]}')


def main(args: argparse.Namespace) -> None:
    """Compute, print, draw and save the matrix."""
    import matplotlib

    from mmsnn.utils.errors import UserError

    for name in ('score_thr', 'tp_iou_thr', 'nms_iou_thr'):
        value = getattr(args, name)
        if value is not None and not 0 <= value <= 1:
            option = f'--{name.replace("_", "-")}'
            raise UserError(f'{option} must be from 0 to 1, but got {value:g}')
    if args.color_theme not in matplotlib.colormaps:
        raise UserError(
            '--color-theme must be a colormap of matplotlib, but got '
            f'{args.color_theme!r}'
        )
    predictions = read_predictions(args.prediction_path)
    cfg = read_config(args)
    from mmsnn.analysis.model_inputs import open_dataset
    from mmsnn.evaluation.confusion_matrix import BACKGROUND, classify, detect
    from mmsnn.reporting.confusion_plot import draw

    dataset = open_dataset(cfg, 'test')
    if not predictions:
        raise UserError(f'predictions {args.prediction_path!r} are empty')

    names = list(dataset.metainfo['classes'])
    if 'pred_instances' in predictions[0]:
        matrix = detect(
            predictions,
            map(dataset.get_data_info, track(range(len(dataset)), 'Matching')),
            len(names),
            score_thr=args.score_thr,
            iou_thr=args.tp_iou_thr,
            nms_iou_thr=args.nms_iou_thr,
        )
        names.append(BACKGROUND)
    else:
        matrix = classify(predictions, len(names))
    report(matrix, names)
    folder = Path(args.save_dir)
    folder.mkdir(parents=True, exist_ok=True)
    content = {'classes': names, 'matrix': matrix.tolist()}
    paths = [folder / f'confusion_matrix.{suffix}' for suffix in ('json', 'png')]
    paths[0].write_text(json.dumps(content))
    draw(matrix, names, args.color_theme).savefig(
        paths[1], dpi=120, bbox_inches='tight'
    )
    print(f'Saved {paths[0]}\nSaved {paths[1]}')
