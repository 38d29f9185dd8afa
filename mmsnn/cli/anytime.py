"""Evaluate a detector after each time step and with early stopping.

Runs a spiking detector on the config's whole test set for 1, 2, ..., T time steps, and
reports the metrics and the energy after each of them. With early stopping, an image
stops at the first time step that does not change its detections. A table is printed,
and saved with a plot as report.html, report.json and a PNG file.

Examples:
    mmsnn anytime CONFIG CHECKPOINT
    mmsnn anytime CONFIG CHECKPOINT --costs GAC --iou 0.9
"""

import argparse
from functools import partial

from .common.options import add_config_options
from .common.progress import track
from .common.reports import finish, load


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.set_defaults(
        report_name='anytime', images=None, random=None, num_images=None, seed=0
    )
    add_config_options(parser)
    parser.add_argument(
        'checkpoint',
        nargs='?',
        help='path of the checkpoint (default: initial weights)',
    )
    parser.add_argument(
        '--batch-size', type=int, default=8, help='images per batch (default: 8)'
    )
    parser.add_argument(
        '--costs', default='SG', help='energy model, such as SG (default) or GAC'
    )
    parser.add_argument(
        '--score',
        type=float,
        default=0.3,
        help='minimum score of detections that early stopping compares (default: 0.3)',
    )
    parser.add_argument(
        '--iou',
        type=float,
        default=0.75,
        help='minimum IoU of matching boxes in early stopping (default: 0.75)',
    )
    parser.add_argument(
        '--out-dir',
        help='folder of the report '
        '(default: work_dirs/NAME_OF_CONFIG/analysis/anytime)',
    )


def main(args: argparse.Namespace) -> None:
    """Evaluate after each time step, print and save the report."""
    from mmsnn.analysis import CountingRules
    from mmsnn.analysis.anytime import StoppingRule, measure_anytime
    from mmsnn.analysis.energy.energy_models import find_energy_model
    from mmsnn.reporting import anytime_report as draw
    from mmsnn.reporting.report import Report
    from mmsnn.utils.errors import UserError

    try:
        costs = find_energy_model(args.costs)
        stopping = StoppingRule(args.score, args.iou)
    except ValueError as error:
        raise UserError(str(error)) from error
    cfg, model, batches, facts = load(args)
    if not cfg.get('test_evaluator'):
        raise UserError(f'config {cfg.filename!r} defines no test_evaluator')
    rules = CountingRules()
    try:
        found = measure_anytime(
            model,
            track(batches, 'Detecting'),
            partial(_make_evaluator, cfg.test_evaluator, batches.metainfo),
            costs,
            rules,
            stopping,
        )
    except ValueError as error:
        raise UserError(f'config {cfg.filename!r}: {error}') from error
    name = draw.main_metric(found.early.metrics)
    last, early = found.steps[-1], found.early
    report = Report(
        title='Anytime detection',
        facts=facts,
        tables=(draw.step_table(found),),
        pictures=draw.draw(found),
        notes=(f'Stopping: {stopping}', str(costs), *rules),
        data=found,
        headline={
            f'{name} with all {last.num_steps:g} steps': f'{last.metrics[name]:.3f}',
            f'{name} with early stopping': f'{early.metrics[name]:.3f}, '
            f'{early.num_steps:.2f} steps, {early.each_pj / last.energy_pj:.1%} of '
            'the energy of one result with all steps',
        },
    )
    finish(report, args)


def _make_evaluator(cfg: object, metainfo: object) -> object:
    """Return an evaluator of the data set."""
    from mmengine.evaluator import Evaluator

    evaluator = Evaluator(cfg)
    evaluator.dataset_meta = metainfo
    return evaluator
