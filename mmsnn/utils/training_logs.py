"""Reading of MMEngine's training logs."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import UserError

SCALARS = 'vis_data/scalars.json'


# Keys with the position of an entry on the axis, not a value.
PLACES = ('epoch', 'iter', 'step')


@dataclass(frozen=True)
class Log:
    """The entries of a run, as MMEngine wrote them.

    Attributes:
        path: The file.
        train: Entries of training; each has 'iter', and 'epoch' in epoch-based runs.
        evaluations: Entries of evaluations; 'step' is their epoch or iteration.
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
        """Return the entries with ``key``: of training or, if none, of evaluations."""
        train = tuple(entry for entry in self.train if key in entry)
        return train or tuple(entry for entry in self.evaluations if key in entry)

    @property
    def keys(self) -> list[str]:
        """The names of all numbers in the log."""
        entries = (*self.train, *self.evaluations)
        return sorted({key for entry in entries for key in entry} - {*PLACES})


def read_log(given: str) -> Log:
    """Read a log.

    Raises:
        UserError: If it does not exist, or the file is not a log.
    """
    path = Path(given)
    if path.is_dir():
        found = sorted((*path.glob(f'*/{SCALARS}'), *path.glob(SCALARS)))
        if not found:
            raise UserError(f'{given!r} has no log: it does not contain */{SCALARS}')
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
    for key in keys:
        if key not in log.keys:
            raise UserError(
                f'log {str(log.path)!r} has no {key!r}; it has {", ".join(log.keys)}'
            )


def times_of_epochs(log: Log, include_outliers: bool) -> dict[int, list[float]]:
    """Return the seconds per iteration by epoch; iteration-based runs have one epoch.

    Raises:
        UserError: If the log has no times.
    """
    epochs: dict[int, list[float]] = {}
    for entry in log.train:
        if 'time' in entry:
            epochs.setdefault(entry.get('epoch', 1), []).append(entry['time'])
    if not epochs:
        raise UserError(f'log {str(log.path)!r} holds no training times')
    if include_outliers:
        return epochs
    kept = {epoch: times[1:] for epoch, times in epochs.items() if len(times) > 1}
    if not kept:
        raise UserError(
            f'log {str(log.path)!r} has one entry per epoch, which is left out as an '
            'outlier: give --include-outliers'
        )
    return kept
