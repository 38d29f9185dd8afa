"""Plot training logs, or time their iterations.

The commands and their options are MMDetection's. A log is MMEngine's
vis_data/scalars.json of a run, or a work dir, whose latest run is used. Values of the
training are drawn over the iterations, and values of evaluations over the epochs (or
iterations) after which they were measured, in separate panels.

Examples:
    mmsnn logs plot_curve work_dirs/a work_dirs/b --keys loss coco/bbox_mAP
    mmsnn logs cal_train_time work_dirs/a
"""

import argparse
from pathlib import Path
from statistics import fmean, pstdev

from .common.options import OutputFile


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    tasks = parser.add_subparsers(dest='task', required=True)
    plot = tasks.add_parser('plot_curve', help='plot curves of one or several logs')
    add_logs(plot)
    plot.add_argument(
        '--keys',
        nargs='+',
        default=['loss'],
        help='names in the log, such as loss or coco/bbox_mAP (default: loss)',
    )
    plot.add_argument(
        '--legend',
        nargs='+',
        help='a name for each curve: all keys of the first log, then of the next',
    )
    plot.add_argument(
        '--start-epoch', type=int, default=1, help='first epoch drawn (default: 1)'
    )
    plot.add_argument('--title', help='title of the figure')
    plot.add_argument(
        '--out',
        default='curves.png',
        action=OutputFile,
        help='the picture (default: curves.png)',
    )
    times = tasks.add_parser('cal_train_time', help='compute the time of an iteration')
    add_logs(times)
    times.add_argument(
        '--include-outliers',
        action='store_true',
        help='include the first entry of each epoch, when the data loaders start',
    )


def add_logs(parser: argparse.ArgumentParser) -> None:
    """Add the logs that both commands read."""
    parser.add_argument(
        'json_logs',
        nargs='+',
        metavar='LOG',
        help='vis_data/scalars.json of a run, or a work dir, whose latest run is used',
    )


def plot_curve(args: argparse.Namespace) -> None:
    """Run the command ``plot_curve``.

    Raises:
        UserError: If an option does not fit.
    """
    from mmsnn.reporting.report import plot_style
    from mmsnn.reporting.training_curves import plot_curves
    from mmsnn.utils.errors import UserError
    from mmsnn.utils.training_logs import check_keys, read_log

    logs = [read_log(path) for path in args.json_logs]
    for log in logs:
        check_keys(log, args.keys)
    legend = args.legend or [f'{log.name}: {key}' for log in logs for key in args.keys]
    curves = len(logs) * len(args.keys)
    if len(legend) != curves:
        raise UserError(
            f'--legend must name each of the {curves} curves, but got {len(legend)}'
        )
    out = Path(args.out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with plot_style():
            plot_curves(logs, args.keys, legend, args.start_epoch, args.title).savefig(
                out
            )
    except UserError:
        raise
    except (OSError, ValueError) as error:
        raise UserError(f'--out {args.out!r}: {error}') from error
    print(f'Saved {out}')


def cal_train_time(args: argparse.Namespace) -> None:
    """Run the command ``cal_train_time``."""
    from mmsnn.utils.training_logs import read_log, times_of_epochs

    for path in args.json_logs:
        log = read_log(path)
        epochs = times_of_epochs(log, args.include_outliers)
        means = {epoch: fmean(times) for epoch, times in epochs.items()}
        slow, fast = (pick(means, key=means.__getitem__) for pick in (max, min))
        every = [time for times in epochs.values() for time in times]
        print(f'-----Analyze train time of {log.path}-----')
        print(f'slowest epoch {slow}, average time is {means[slow]:.4f} s/iter')
        print(f'fastest epoch {fast}, average time is {means[fast]:.4f} s/iter')
        print(f'time std over epochs is {pstdev(means.values()):.4f}')
        print(f'average iter time: {fmean(every):.4f} s/iter\n')


def main(args: argparse.Namespace) -> None:
    """Plot or time the logs."""
    if args.task == 'plot_curve':
        plot_curve(args)
    else:
        cal_train_time(args)
