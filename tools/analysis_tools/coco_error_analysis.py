"""Tell why a detector loses average precision, with COCO's analysis of errors.

Precision-recall curves of which each leaves out one more kind of error, as defined at
https://cocodataset.org/#detection-eval:
    C75  at IoU 0.75
    C50  at IoU 0.5, the metric of PASCAL VOC
    Loc  at IoU 0.1: errors of localisation left out, but not duplicates; so all below
    Sim  without matches of objects of other classes of the same supercategory
    Oth  without matches of objects of any other class
    BG   without what is found in the background: 1 up to the highest recall
    FN   without anything missed: always 1
The area between two curves is what that kind of error costs. Usage:
    python tools/test.py CONFIG CHECKPOINT
        --cfg-options test_evaluator.outfile_prefix=work_dirs/results
    python tools/analysis_tools/coco_error_analysis.py work_dirs/results.bbox.json
        OUT_DIR [--ann data/coco/annotations/instances_val2017.json]
        [--types bbox segm] [--extraplots] [--score-thr 0]
        [--areas 1024 9216 10000000000]
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import _config
import numpy as np
from _coco_errors import (
    AREAS,
    KINDS,
    TYPES,
    analyze,
    averages,
    read_annotations,
    read_results,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Of each class and area: the average precision of each kind.
Averages = Mapping[str, Mapping[str, np.ndarray]]
COLORS = ('#ffffff', '#b5c7e3', '#4c72b0', '#c0504d', '#e8a33d', '#8064a2', '#dddddd')
ALL = 'allclass'


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description="COCO's analysis of errors")
    parser.add_argument('result', help='detections in the JSON format of COCO')
    parser.add_argument(
        'out_dir',
        action=_config.OutputFolder,
        help='folder of the pictures and of errors.json',
    )
    parser.add_argument(
        '--ann',
        default='data/coco/annotations/instances_val2017.json',
        help='the annotations (default: %(default)s)',
    )
    parser.add_argument(
        '--types',
        nargs='+',
        choices=list(TYPES),
        default=['bbox'],
        help='of boxes, masks or both (default: bbox)',
    )
    parser.add_argument(
        '--extraplots',
        action='store_true',
        help='draw the average precisions of the classes as bars, too',
    )
    parser.add_argument(
        '--score-thr',
        type=float,
        default=0.0,
        help='leave out detections with a lower score (default: 0)',
    )
    parser.add_argument(
        '--areas',
        nargs=3,
        type=float,
        default=[32**2, 96**2, 1e10],
        metavar=('SMALL', 'MEDIUM', 'LARGE'),
        help='the largest areas of small, medium and large objects in square pixels '
        '(default: 1024 9216 1e10)',
    )
    return parser.parse_args()


def draw_curves(curves: np.ndarray, title: str) -> 'Figure':
    """Draw the curves [7, 101, classes, 4 areas], a panel for each area."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 9))
    recalls = np.linspace(0, 1, curves.shape[1])
    # Not the constrained layout, which takes a second: there may be many classes.
    figure.subplots_adjust(0.06, 0.06, 0.98, 0.92, wspace=0.08, hspace=0.18)
    panels = figure.subplots(2, 2, sharex=True, sharey=True).flat
    for index, (axis, area) in enumerate(zip(panels, AREAS, strict=True)):
        axis.set(title=area, xlim=(0, 1), ylim=(0, 1), xlabel='recall')
        axis.set_ylabel('precision')
        shown = curves[..., index]
        known = shown[:, :, shown[-1, 0] > -1]
        if not known.size:
            axis.text(0.5, 0.5, 'no objects', ha='center', va='center')
            continue
        lower = np.zeros_like(recalls)
        for name, color, curve, average in zip(
            KINDS, COLORS, known.mean(axis=2), averages(shown), strict=True
        ):
            upper = np.maximum(lower, curve)
            label = f'[{average:.3f}] {name}'
            axis.fill_between(
                recalls, lower, upper, fc=color, ec='black', lw=0.6, label=label
            )
            lower = upper
        axis.legend(loc='lower left', fontsize='small', framealpha=0.9, edgecolor='0.6')
    figure.suptitle(title)
    return figure


def draw_bars(table: Averages) -> 'Figure':
    """Draw the average precisions of each class, of objects of all areas."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 1.5 + 0.25 * len(table)), layout='constrained')
    axis = figure.subplots()
    lower = np.zeros(len(table))
    values = np.nan_to_num([areas['all'] for areas in table.values()])
    for name, color, value in zip(KINDS, COLORS, values.T, strict=True):
        upper = np.maximum(lower, value)
        axis.barh(
            list(table),
            upper - lower,
            left=lower,
            color=color,
            edgecolor='black',
            linewidth=0.4,
            label=name,
        )
        lower = upper
    axis.invert_yaxis()
    axis.set(xlabel='average precision', xlim=(0, 1))
    figure.legend(loc='outside upper center', ncols=len(KINDS), fontsize='small')
    return figure


def to_plain(table: Averages) -> dict[str, Any]:
    """Return the average precisions by class, area and kind; null is 'no object'."""
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


def report(table: Averages, kind: str) -> None:
    """Print the average precisions."""
    from mmsnn.reporting.report import Column, Table

    columns = (Column('class'), Column('area'), *(Column(k, '', '.3f') for k in KINDS))
    rows = tuple(
        (name, area, *map(float, values))
        for name, areas in table.items()
        for area, values in areas.items()
    )
    print(Table(f'Average precision, {kind}', columns, rows).text())


def main() -> None:
    """Analyze the errors, print a table and draw the curves."""
    args = parse_args()
    from mmsnn.utils.errors import UserError

    if not 0 < args.areas[0] < args.areas[1] < args.areas[2]:
        raise UserError(f'--areas must be three rising areas, but got {args.areas}')
    coco = read_annotations(args.ann)
    read = {t: read_results(args.result, t, coco, args.score_thr) for t in args.types}
    content = {}
    for kind, results in read.items():
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
        for name, chosen in choices.items():
            figure = draw_curves(chosen, f'{kind}: {name}')
            figure.savefig(out_dir / f'{name.replace("/", "_")}.png', dpi=100)
        if args.extraplots:
            draw_bars(table).savefig(out_dir / 'bars.png', dpi=100)
        report(table, kind)
        content[kind] = to_plain(table)
        print(f'Saved {out_dir / f"{ALL}.png"} and one of each class')
    path = Path(args.out_dir, 'errors.json')
    path.write_text(json.dumps(content, indent=2))
    print(f'Saved {path}')


if __name__ == '__main__':
    _config.run(main)
