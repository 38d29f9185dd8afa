"""Draw and print which classes a model takes for which.

The predictions are those that tools/test.py dumps. A detector's matrix has a row and a
column 'background' more: objects that nothing was found for, and detections where no
object is. Each object and each detection is counted once: the surer a detection, the
earlier it takes the object that it overlaps most, whatever their classes. Detections on
crowds and other objects to be ignored are left out. Usage:
    python tools/test.py CONFIG CHECKPOINT --out FILE.pkl
    python tools/analysis_tools/confusion_matrix.py CONFIG FILE.pkl SAVE_DIR
        [--score-thr 0.3] [--tp-iou-thr 0.5] [--nms-iou-thr IOU]
        [--color-theme plasma] [--cfg-options KEY=VALUE ...]
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import _config
import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BACKGROUND = 'background'
# More classes than this have no numbers in the picture; than the other, no names.
MOST_NUMBERS = 25
MOST_NAMES = 100


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description='Draw a confusion matrix')
    _config.add_config_options(parser)
    parser.add_argument(
        'prediction_path',
        help='what tools/test.py --out dumped, a pickle: only tensors, arrays of '
        'numbers and plain data are loaded from it, and no code in it is run',
    )
    parser.add_argument(
        'save_dir',
        action=_config.OutputFolder,
        help='folder of confusion_matrix.png and .json',
    )
    parser.add_argument(
        '--score-thr',
        type=float,
        default=0.3,
        help='leave out detections with a lower score (default: 0.3)',
    )
    parser.add_argument(
        '--tp-iou-thr',
        type=float,
        default=0.5,
        help='IoU from which a detection is one of an object (default: 0.5)',
    )
    parser.add_argument(
        '--nms-iou-thr',
        type=float,
        help='suppress detections of a class that overlap more (default: as they are)',
    )
    parser.add_argument(
        '--color-theme', default='plasma', help='color map of matplotlib'
    )
    return parser.parse_args()


def read_predictions(path: str) -> list[Mapping[str, Any]]:
    """Read what tools/test.py dumped.

    Raises:
        UserError: If it is missing or something else.
    """
    from mmsnn.utils.errors import UserError
    from mmsnn.utils.safe_loading import UnsafeContentError, load_predictions

    what = f'predictions {path!r}'
    if not Path(path).is_file():
        raise UserError(f'{what} do not exist: tools/test.py --out FILE.pkl makes them')
    if not path.endswith(('.pkl', '.pickle')):
        raise UserError(f'{what} must end in .pkl or .pickle, as tools/test.py --out')
    try:
        predictions = load_predictions(path)
    except UnsafeContentError as error:
        raise UserError(f'predictions {error}') from error
    except Exception as error:
        # reading other files raises anything
        raise UserError(f'{what} cannot be read: {error}') from error
    if not isinstance(predictions, list) or not all(
        isinstance(each, Mapping) for each in predictions
    ):
        raise UserError(f'{what} are not what tools/test.py --out dumps')
    return predictions


def check_labels(what: str, labels: Sequence[int], num_classes: int) -> None:
    """Check that labels are those of the data set's classes.

    A negative one would be counted in the row or column at the other end.

    Raises:
        UserError: If one is not.
    """
    from mmsnn.utils.errors import UserError

    for label in labels:
        if not 0 <= label < num_classes:
            raise UserError(
                f'the {what} have class {label}, but the data set has {num_classes} '
                f'classes, 0 to {num_classes - 1}'
            )


def classify(predictions: Sequence[Mapping[str, Any]], num_classes: int) -> np.ndarray:
    """Return a classifier's matrix: [true, predicted].

    Raises:
        UserError: If the predictions are not those of a classifier of such classes.
    """
    from mmpretrain.evaluation import ConfusionMatrix

    from mmsnn.utils.errors import UserError

    if not all({'pred_label', 'gt_label'} <= each.keys() for each in predictions):
        raise UserError(
            "the predictions are not a classifier's: pred_label or gt_label is missing"
        )
    predicted, true = (
        [int(each[name][0]) for each in predictions]
        for name in ('pred_label', 'gt_label')
    )
    check_labels('predictions', (*predicted, *true), num_classes)
    return ConfusionMatrix.calculate(predicted, true, num_classes).numpy()


def match(
    boxes: np.ndarray, found: np.ndarray, ignored: np.ndarray, threshold: float
) -> tuple[dict[int, int], set[int]]:
    """Match detections [m, 4], the surest first, to objects [n, 4], each once.

    Returns:
        The detection of each object that has one; the detections of nothing that lie
        in boxes to be ignored.
    """
    from mmdet.evaluation import bbox_overlaps

    overlaps = bbox_overlaps(found, boxes)
    pairs: dict[int, int] = {}
    for detection, row in enumerate(overlaps if len(boxes) else ()):
        row[list(pairs)] = -1
        best = int(row.argmax())
        if row[best] >= threshold:
            pairs[best] = detection
    # Of a crowd, a detection need cover only a part.
    inside = bbox_overlaps(found, ignored, mode='iof') >= threshold
    left = set(np.flatnonzero(inside.any(axis=1)).tolist()) - set(pairs.values())
    return pairs, left


def select(prediction: Any, args: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    """Return boxes [m, 4] and labels [m] of the detections that count, surest first."""
    from mmcv.ops import batched_nms

    boxes, scores, labels = (prediction[k] for k in ('bboxes', 'scores', 'labels'))
    kept = scores >= args.score_thr
    boxes, scores, labels = boxes[kept], scores[kept], labels[kept]
    if args.nms_iou_thr is not None and len(boxes):
        nms = dict(type='nms', iou_threshold=args.nms_iou_thr)
        _, kept = batched_nms(boxes, scores, labels, nms)
        boxes, scores, labels = boxes[kept], scores[kept], labels[kept]
    order = scores.argsort(descending=True, stable=True)
    boxes, labels = boxes[order], labels[order]
    return boxes.numpy().reshape(-1, 4), labels.numpy()


def detect(
    predictions: Sequence[Mapping[str, Any]],
    dataset: Any,
    num_classes: int,
    args: argparse.Namespace,
) -> np.ndarray:
    """Return a detector's matrix: [true, predicted], the background last.

    Raises:
        UserError: If the predictions are not those of a detector on this data set.
    """
    from mmsnn.utils.errors import UserError

    if not all({'img_id', 'pred_instances'} <= each.keys() for each in predictions):
        raise UserError(
            "the predictions are not a detector's: img_id or pred_instances is missing"
        )
    by_image = {each['img_id']: each['pred_instances'] for each in predictions}
    matrix = np.zeros((num_classes + 1, num_classes + 1), np.int64)
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        if info['img_id'] not in by_image:
            raise UserError(
                f'there is no prediction for image {info["img_id"]}: the predictions '
                'are of another data set'
            )
        found, labels = select(by_image[info['img_id']], args)
        check_labels('predictions', labels.tolist(), num_classes)
        truths = [each for each in info['instances'] if not each.get('ignore_flag')]
        rest = [each for each in info['instances'] if each.get('ignore_flag')]
        check_labels('annotations', [t['bbox_label'] for t in truths], num_classes)
        boxes, ignored = (
            np.array([each['bbox'] for each in group], np.float32).reshape(-1, 4)
            for group in (truths, rest)
        )
        pairs, left = match(boxes, found, ignored, args.tp_iou_thr)
        for true, each in enumerate(truths):
            taken = pairs.get(true)
            predicted = num_classes if taken is None else labels[taken]
            matrix[each['bbox_label'], predicted] += 1
        for detection in set(range(len(found))) - set(pairs.values()) - left:
            matrix[num_classes, labels[detection]] += 1
    return matrix


def draw(matrix: np.ndarray, names: Sequence[str], color_theme: str) -> 'Figure':
    """Draw the matrix in percent of each row."""
    from matplotlib.figure import Figure

    share = 100 * matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    number = len(names)
    side = min(max(5, 1.5 + 0.45 * number), 24)
    figure = Figure(figsize=(side, side), layout='constrained')
    axis = figure.subplots()
    picture = axis.imshow(share, cmap=color_theme, vmin=0, vmax=100)
    figure.colorbar(picture, label='% of the true class', shrink=0.7)
    axis.set(xlabel='predicted', ylabel='true')
    if number <= MOST_NAMES:
        axis.set_xticks(range(number), names, rotation=90)
        axis.set_yticks(range(number), names)
    if number <= MOST_NUMBERS:
        for true, predicted in np.argwhere(matrix):
            value = share[true, predicted]
            red, green, blue, _ = picture.cmap(value / 100)
            dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
            axis.text(
                predicted,
                true,
                f'{value:.0f}',
                ha='center',
                va='center',
                fontsize='small',
                color='white' if dark else 'black',
            )
    return figure


def report(matrix: np.ndarray, names: Sequence[str], most: int = 10) -> None:
    """Print how much is right, and the most frequent confusions."""
    objects = [index for index, name in enumerate(names) if name != BACKGROUND]
    number, right = matrix[objects].sum(), np.trace(matrix)
    print(f'{right} of {number} are taken for what they are', end='')
    if len(objects) < len(names):
        missed, invented = matrix[objects, -1].sum(), matrix[-1].sum()
        print(f', {missed} are missed, {invented} found where nothing is', end='')
    print('\nThe most frequent confusions (true -> predicted):')
    wrong = matrix - np.diag(np.diag(matrix))
    for flat in np.argsort(-wrong, axis=None, kind='stable')[:most]:
        true, predicted = divmod(int(flat), len(names))
        if wrong[true, predicted]:
            print(f'{wrong[true, predicted]:6} {names[true]} -> {names[predicted]}')


def main() -> None:
    """Compute, print, draw and save the matrix."""
    args = parse_args()
    import matplotlib

    from mmsnn.utils.errors import UserError

    for name in ('score_thr', 'tp_iou_thr', 'nms_iou_thr'):
        value = getattr(args, name)
        if value is not None and not 0 <= value <= 1:
            option = f'--{name.replace("_", "-")}'
            raise UserError(f'{option} must be from 0 to 1, but got {value:g}')
    if args.color_theme not in matplotlib.colormaps:
        raise UserError(f"--color-theme {args.color_theme!r} is none of matplotlib's")
    predictions = read_predictions(args.prediction_path)
    cfg = _config.read_config(args)
    from mmsnn.analysis.model_inputs import open_dataset

    dataset = open_dataset(cfg, 'test')
    if not predictions:
        raise UserError(f'predictions {args.prediction_path!r} are empty')

    names = list(dataset.metainfo['classes'])
    if 'pred_instances' in predictions[0]:
        matrix = detect(predictions, dataset, len(names), args)
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


if __name__ == '__main__':
    _config.run(main)
