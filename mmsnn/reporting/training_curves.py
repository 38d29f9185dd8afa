"""Curves from training logs."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from mmsnn.utils.errors import UserError
from mmsnn.utils.training_logs import Log


def plot_curves(
    logs: Sequence[Log],
    keys: Sequence[str],
    legend: Sequence[str],
    start_epoch: int,
    title: str | None,
) -> Figure:
    """Draw one curve per log and key.

    Raises:
        UserError: If a log has no values of a key from ``start_epoch`` on.
    """
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
            # Without a marker, a curve of one point is invisible.
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
