r"""Analyse why a detector loses average precision.

COCO's error analysis: precision-recall curves, each of which ignores one more kind of
error, as defined at https://cocodataset.org/#detection-eval:
    C75  at IoU 0.75
    C50  at IoU 0.5, the metric of PASCAL VOC
    Loc  at IoU 0.1, as are all below: ignores localisation errors except duplicates
    Sim  ignores matches with objects of other classes of the same supercategory
    Oth  ignores matches with objects of any other class
    BG   ignores detections in the background: 1 up to the highest recall
    FN   ignores missed objects: always 1
The area between two curves is the average precision lost to that kind of error.

Examples:
    mmsnn test CONFIG CHECKPOINT \
        --cfg-options test_evaluator.outfile_prefix=work_dirs/results
    mmsnn coco-errors work_dirs/results.bbox.json work_dirs/errors \
        --ann data/coco/annotations/instances_val2017.json
"""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .common.options import OutputFolder
from .common.progress import track, working

if TYPE_CHECKING:
    from mmsnn.reporting.coco_error_plots import Averages

ALL = 'allclass'


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument('result', help='detections in the JSON format of COCO')
    parser.add_argument(
        'out_dir',
        action=OutputFolder,
        help='folder of the pictures and of errors.json',
    )
    parser.add_argument(
        '--ann',
        default='data/coco/annotations/instances_val2017.json',
        help='annotation file (default: %(default)s)',
    )
    parser.add_argument(
        '--types',
        nargs='+',
        choices=['bbox', 'segm'],
        default=['bbox'],
        help='analyse boxes, masks or both (default: bbox)',
    )
    parser.add_argument(
        '--extraplots',
        action='store_true',
        help='also draw the average precision of each class as bars',
    )
    parser.add_argument(
        '--score-thr',
        type=float,
        default=0.0,
        help='ignore detections with a lower score (default: 0)',
    )
    parser.add_argument(
        '--areas',
        nargs=3,
        type=float,
        default=[32**2, 96**2, 1e10],
        metavar=('SMALL', 'MEDIUM', 'LARGE'),
        help='maximum areas of small, medium and large objects in square pixels '
        '(default: 1024 9216 1e10)',
    )


def to_plain(table: 'Averages') -> dict[str, Any]:
    """Return average precisions by class, area and kind; None without objects."""
    import numpy as np

    from mmsnn.evaluation.coco_errors import KINDS

    return {
        name: {
            area: {
                kind: None if np.isnan(value) else round(float(value), 6)
                for kind, value in zip(KINDS, values, strict=True)
            }
            for area, values in areas.items()
        }
        for name, areas in table.items()
    }


def report(table: 'Averages', kind: str) -> None:
    """Print the average precisions."""
    from mmsnn.evaluation.coco_errors import KINDS
    from mmsnn.reporting.report import Column, Table

    columns = (Column('class'), Column('area'), *(Column(k, '', '.3f') for k in KINDS))
    rows = tuple(
        (name, area, *map(float, values))
        for name, areas in table.items()
        for area, values in areas.items()
    )
    print(Table(f'Average precision, {kind}', columns, rows).text())


def main(args: argparse.Namespace) -> None:
    """Analyse the errors, print a table and draw the curves."""
    from mmsnn.evaluation.coco_errors import (
        AREAS,
        analyze,
        averages,
        read_annotations,
        read_results,
    )
    from mmsnn.reporting.coco_error_plots import draw_bars, draw_curves
    from mmsnn.utils.errors import UserError

    if not 0 < args.areas[0] < args.areas[1] < args.areas[2]:
        raise UserError(f'--areas must be three increasing areas, but got {args.areas}')
    coco = read_annotations(args.ann, args.types)
    read = {t: read_results(args.result, t, coco, args.score_thr) for t in args.types}
    content = {}
    for kind, results in read.items():
        with working(f'Analysing {kind}'):
            curves = analyze(coco, results, kind, args.areas)
        names = [coco.cats[label]['name'] for label in sorted(coco.cats)]
        choices = {ALL: curves}
        choices |= {name: curves[:, :, [i]] for i, name in enumerate(names)}
        table = {
            name: {area: averages(chosen[..., a]) for a, area in enumerate(AREAS)}
            for name, chosen in choices.items()
        }
        out_dir = Path(args.out_dir, kind)
        out_dir.mkdir(parents=True, exist_ok=True)
        for name, chosen in track(choices.items(), 'Drawing'):
            figure = draw_curves(chosen, f'{kind}: {name}')
            figure.savefig(out_dir / f'{name.replace("/", "_")}.png', dpi=100)
        if args.extraplots:
            draw_bars(table).savefig(out_dir / 'bars.png', dpi=100)
        report(table, kind)
        content[kind] = to_plain(table)
        print(f'Saved {out_dir / f"{ALL}.png"} and one picture per class')
    path = Path(args.out_dir, 'errors.json')
    path.write_text(json.dumps(content, indent=2))
    print(f'Saved {path}')
