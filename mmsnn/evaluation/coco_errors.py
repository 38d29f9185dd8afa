"""COCO's error analysis: the effect of each kind of error on average precision."""

import contextlib
import json
import math
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from reprlib import repr as shorten
from typing import Any

import numpy as np
from pycocotools import mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mmsnn.utils import annotations
from mmsnn.utils.errors import UserError

KINDS = ('C75', 'C50', 'Loc', 'Sim', 'Oth', 'BG', 'FN')
AREAS = ('all', 'small', 'medium', 'large')
# The key that a detection needs for each type of result.
TYPES = {'bbox': 'bbox', 'segm': 'segmentation'}


def read_annotations(path: str, types: Sequence[str]) -> COCO:
    """Read the annotations.

    Args:
        path: The file.
        types: Types of results, 'bbox' or 'segm', that are compared with them.

    Raises:
        UserError: If they are missing, invalid or contain no objects.
    """
    if not annotations.read_annotations(path).objects:
        raise UserError(f'annotations {path!r} contain no objects')
    with contextlib.redirect_stdout(None):
        coco = COCO(path)
    if 'segm' in types:
        for index, annotation in enumerate(coco.dataset['annotations']):
            _as_rle(f'annotations {path!r}: annotations[{index}]', annotation, coco)
    return coco


def _as_rle(where: str, entry: Mapping[str, Any], coco: COCO) -> dict[str, Any]:
    """Return the mask of an annotation or detection in COCO's RLE.

    Raises:
        UserError: If pycocotools cannot read it.
    """
    try:
        rle: dict[str, Any] = coco.annToRLE(entry)
        mask.area(rle)
    except Exception as error:
        given = shorten(entry.get('segmentation'))
        raise UserError(
            f'{where}: segmentation must be polygons or RLE, but got {given}'
        ) from error
    return rle


def read_results(path: str, kind: str, coco: COCO, score_thr: float) -> list[dict]:
    """Read the detections and check that they belong to the annotations.

    Raises:
        UserError: If the file is missing, does not contain detections, or belongs to
            other annotations, if a score or box is not finite, a segmentation is
            invalid, or if no score reaches ``score_thr``.
    """
    if not Path(path).is_file():
        raise UserError(f'results {path!r} does not exist')
    try:
        results = json.loads(Path(path).read_text(encoding='utf-8'))
    except ValueError as error:
        raise UserError(f'results {path!r} is not a JSON file: {error}') from error
    needed = {'image_id', 'category_id', 'score', TYPES[kind]}
    if not isinstance(results, list) or not all(
        isinstance(result, dict) and needed <= result.keys() for result in results
    ):
        raise UserError(
            f'results {path!r} are not a list of detections with '
            f'{", ".join(sorted(needed))}, which --types {kind} needs'
        )
    for index, result in enumerate(results):
        for key, known in (('image_id', coco.imgs), ('category_id', coco.cats)):
            if not isinstance(result[key], Hashable) or result[key] not in known:
                raise UserError(
                    f'results {path!r} are of other annotations: {key} {result[key]!r} '
                    'is not among those of --ann'
                )
        score, box = result['score'], result.get('bbox', [0] * 4)
        if not _is_finite(score):
            raise UserError(
                f'results {path!r}: score of detection {index} must be a finite '
                f'number, but got {score!r}'
            )
        if not isinstance(box, list) or len(box) != 4 or not all(map(_is_finite, box)):
            raise UserError(
                f'results {path!r}: bbox of detection {index} must be four finite '
                f'numbers, but got {box!r}'
            )
        if kind == 'segm':
            where = f'results {path!r}: detection {index}'
            result['segmentation'] = _as_rle(where, result, coco)
    kept = [result for result in results if result['score'] >= score_thr]
    if not kept:
        raise UserError(
            f'results {path!r} contain no detection with a score of {score_thr:g} or '
            'more'
        )
    return kept


def _is_finite(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def precisions(
    coco: COCO,
    detections: COCO,
    kind: str,
    thresholds: Sequence[float],
    areas: Sequence[float],
    confused: Mapping[int, set[int]] | None = None,
) -> np.ndarray:
    """Run COCO's evaluation, in which objects of confused classes are ignored.

    Args:
        coco: The annotations.
        detections: The detections.
        kind: 'bbox' or 'segm'.
        thresholds: IoU thresholds.
        areas: Upper limits of small, medium and large objects.
        confused: For each class, the classes whose objects its detections may match
            without counting as true or false positives.

    Returns:
        Precisions at recalls from 0 to 1 in steps of 0.01,
        [thresholds, recalls, classes, areas]; -1 without objects.
    """

    class Evaluation(COCOeval):
        def _prepare(self) -> None:
            super()._prepare()
            own = dict(self._gts)
            # Unlike a crowd, an ignored object matches one detection, by its IoU.
            ignored = {
                place: [{**truth, 'ignore': 1} for truth in truths]
                for place, truths in own.items()
            }
            for image, label in list(self._dts):
                for other in (confused or {}).get(label, ()):
                    more = ignored.get((image, other), [])
                    self._gts[image, label] = self._gts[image, label] + more

    evaluation = Evaluation(coco, detections, kind)
    small, medium, large = areas
    evaluation.params.areaRng = [
        [0, large],
        [0, small],
        [small, medium],
        [medium, large],
    ]
    evaluation.params.areaRngLbl = list(AREAS)
    evaluation.params.iouThrs = np.array(thresholds)
    evaluation.params.maxDets = [100]
    with contextlib.redirect_stdout(None):
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation.eval['precision'][..., 0]


def analyze(
    coco: COCO, results: list[dict], kind: str, areas: Sequence[float]
) -> np.ndarray:
    """Compute the precision-recall curves of all kinds of errors.

    Returns:
        Precisions [7 kinds, 101 recalls, classes, 4 areas]; -1 without objects.
    """
    with contextlib.redirect_stdout(None):
        detections = coco.loadRes(results)
    groups = {
        label: category.get('supercategory', category['name'])
        for label, category in coco.cats.items()
    }
    others = {label: set(groups) - {label} for label in groups}
    similar = {
        label: {other for other in others[label] if groups[other] == groups[label]}
        for label in groups
    }
    plain = precisions(coco, detections, kind, (0.75, 0.5, 0.1), areas)
    alike = precisions(coco, detections, kind, (0.1,), areas, similar)
    other = precisions(coco, detections, kind, (0.1,), areas, others)
    background = np.where(other > 0, 1.0, other)
    everything = np.where(other > -1, 1.0, other)
    return np.concatenate([plain, alike, other, background, everything])


def averages(curves: np.ndarray) -> np.ndarray:
    """Return the average precision of each kind [7] from curves [7, 101, classes].

    Classes without objects are left out; if no class has objects, it is NaN.
    """
    known = curves[:, :, curves[-1, 0] > -1]
    return known.mean(axis=(1, 2)) if known.size else np.full(len(curves), np.nan)
