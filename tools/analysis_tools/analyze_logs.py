"""Plot curves of training logs, and compute how long an iteration takes.

The commands and their options are MMDetection's. A log is MMEngine's
``vis_data/scalars.json`` of a run, or a work dir, whose latest run is taken. Usage:
    python tools/analysis_tools/analyze_logs.py plot_curve LOG [LOG ...]
        [--keys loss coco/bbox_mAP ...] [--legend NAME ...] [--start-epoch 1]
        [--title TITLE] [--out FILE.png]
    python tools/analysis_tools/analyze_logs.py cal_train_time LOG [LOG ...]
        [--include-outliers]

Curves of the training are drawn over its iterations and those of evaluations over the
epochs (or iterations) that they followed, in panels of their own.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, pstdev
from typing import TYPE_CHECKING, Any

import _config

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCALARS = 'vis_data/scalars.json'
# Where on the axis an entry is, rather than a value of it.
PLACES = ('epoch', 'iter', 'step')


@dataclass(frozen=True)
class Log:
    """The entries of a run, as MMEngine wrote them.

    Attributes:
        path: The file.
        train: Of the training; each has 'iter', and 'epoch' in a run by epochs.
        evaluations: Of the evaluations; 'step' is their epoch or iteration.
    """

    path: Path
    train: tuple[dict[str, Any], ...]
    evaluations: tuple[dict[str, Any], ...]

    @property
    def name(self) -> str:
        """The work dir's name, if the log is where MMEngine puts it."""
        in_run = self.path.parts[-2:] == tuple(SCALARS.split('/'))
        return self.path.resolve().parents[2].name if in_run else self.path.stem

    def entries(self, key: str) -> tuple[dict[str, Any], ...]:
        """The entries that have ``key``: of the training, or else of evaluations."""
        train = tuple(entry for entry in self.train if key in entry)
        return train or tuple(entry for entry in self.evaluations if key in entry)

    @property
    def keys(self) -> list[str]:
        """The names of all numbers in the log."""
        entries = (*self.train, *self.evaluations)
        return sorted({key for entry in entries for key in entry} - {*PLACES})


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description='Analyze logs of trainings')
    tasks = parser.add_subparsers(dest='task', required=True)
    plot = tasks.add_parser('plot_curve', help='plot curves of one or several logs')
    add_logs(plot)
    plot.add_argument(
        '--keys',
        nargs='+',
        default=['loss'],
        help='names in the log, as loss or coco/bbox_mAP (default: loss)',
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
        action=_config.OutputFile,
        help='the picture (default: curves.png)',
    )
    times = tasks.add_parser('cal_train_time', help='compute the time of an iteration')
    add_logs(times)
    times.add_argument(
        '--include-outliers',
        action='store_true',
        help='count the first entry of each epoch, in which loaders start',
    )
    return parser.parse_args()


def add_logs(parser: argparse.ArgumentParser) -> None:
    """Add the logs that both commands read."""
    parser.add_argument(
        'json_logs',
        nargs='+',
        metavar='LOG',
        help=f'{SCALARS} of a run, or a work dir, whose latest run is taken',
    )


def read_log(given: str) -> Log:
    """Read a log.

    Raises:
        UserError: If there is none, or the file is not one.
    """
    from mmsnn.utils.errors import UserError

    path = Path(given)
    if path.is_dir():
        found = sorted((*path.glob(f'*/{SCALARS}'), *path.glob(SCALARS)))
        if not found:
            raise UserError(f'{given!r} holds no log: no */{SCALARS} is in it')
        path = found[-1]
    if not path.is_file():
        raise UserError(f'log {given!r} does not exist')
    entries = []
    for number, line in enumerate(path.read_text(errors='replace').splitlines(), 1):
        if not line.strip():
            continue
        try:
            entries.append(json.loads(line))
        except ValueError:
            entries.append(None)
        if not isinstance(entries[-1], dict):
            raise UserError(
                f'log {str(path)!r} is not a {SCALARS} of MMEngine: line {number} is '
                'not a JSON object'
            )
    train = tuple(entry for entry in entries if 'iter' in entry)
    evaluations = tuple(entry for entry in entries if 'iter' not in entry)
    return Log(path, train, evaluations)


def check_keys(log: Log, keys: Sequence[str]) -> None:
    """Check that a log has the keys.

    Raises:
        UserError: If it lacks one.
    """
    from mmsnn.utils.errors import UserError

    for key in keys:
        if key not in log.keys:
            raise UserError(
                f'log {str(log.path)!r} has no {key!r}; it has {", ".join(log.keys)}'
            )


def plot_curves(
    logs: Sequence[Log],
    keys: Sequence[str],
    legend: Sequence[str],
    start_epoch: int,
    title: str | None,
) -> 'Figure':
    """Draw a curve for each log and key.

    Raises:
        UserError: If a log has nothing from ``start_epoch`` on.
    """
    from matplotlib.figure import Figure

    from mmsnn.utils.errors import UserError

    in_training = [
        any(key in entry for log in logs for entry in log.train) for key in keys
    ]
    panels = sorted(set(in_training), reverse=True)
    figure = Figure(figsize=(7.5, 4 * len(panels)), layout='constrained')
    axes = dict(
        zip(panels, figure.subplots(len(panels), squeeze=False)[:, 0], strict=True)
    )
    names = iter(legend)
    for log in logs:
        by_epoch = any('epoch' in entry for entry in log.train)
        for key, training in zip(keys, in_training, strict=True):
            place = 'iter' if training else 'step'
            entries = [
                entry
                for entry in log.entries(key)
                if not by_epoch or entry['epoch' if training else 'step'] >= start_epoch
            ]
            if not entries:
                raise UserError(
                    f'log {str(log.path)!r} has no {key!r} from epoch {start_epoch} on'
                )
            x, y = zip(*((entry[place], entry[key]) for entry in entries), strict=True)
            # A curve of one point would not be seen.
            marker = '' if len(x) > 30 else '.'
            axes[training].plot(x, y, label=next(names), marker=marker, linewidth=1.2)
            unit = 'iteration' if training or not by_epoch else 'epoch'
            axes[training].set_xlabel(unit)
    for axis in axes.values():
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.legend(fontsize='small')
    if len(keys) == 1:
        next(iter(axes.values())).set_ylabel(keys[0])
    figure.suptitle(title or '')
    return figure


def plot_curve(args: argparse.Namespace) -> None:
    """Run the command ``plot_curve``.

    Raises:
        UserError: If an option does not fit.
    """
    from mmsnn.reporting.report import plot_style
    from mmsnn.utils.errors import UserError

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


def times_of_epochs(log: Log, include_outliers: bool) -> dict[int, list[float]]:
    """Return the seconds an iteration took by epoch; a run by iterations has one.

    Raises:
        UserError: If the log has none.
    """
    from mmsnn.utils.errors import UserError

    epochs: dict[int, list[float]] = {}
    for entry in log.train:
        if 'time' in entry:
            epochs.setdefault(entry.get('epoch', 1), []).append(entry['time'])
    if not epochs:
        raise UserError(f'log {str(log.path)!r} has no times of a training')
    if include_outliers:
        return epochs
    kept = {epoch: times[1:] for epoch, times in epochs.items() if len(times) > 1}
    if not kept:
        raise UserError(
            f'log {str(log.path)!r} has one entry an epoch, the one that is left out: '
            'give --include-outliers'
        )
    return kept


def cal_train_time(args: argparse.Namespace) -> None:
    """Run the command ``cal_train_time``."""
    for path in args.json_logs:
        log = read_log(path)
        epochs = times_of_epochs(log, args.include_outliers)
        means = {epoch: fmean(times) for epoch, times in epochs.items()}
        slow, fast = (
            max(means, key=means.__getitem__),
            min(means, key=means.__getitem__),
        )
        every = [time for times in epochs.values() for time in times]
        print(f'-----Analyze train time of {log.path}-----')
        print(f'slowest epoch {slow}, average time is {means[slow]:.4f} s/iter')
        print(f'fastest epoch {fast}, average time is {means[fast]:.4f} s/iter')
        print(f'time std over epochs is {pstdev(means.values()):.4f}')
        print(f'average iter time: {fmean(every):.4f} s/iter\n')


def main() -> None:
    """Analyze logs."""
    args = parse_args()
    if args.task == 'plot_curve':
        plot_curve(args)
    else:
        cal_train_time(args)


if __name__ == '__main__':
    _config.run(main)
