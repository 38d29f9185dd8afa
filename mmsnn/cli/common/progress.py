"""Progress on stderr, for work that takes more than about two seconds."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from mmsnn.utils.progress import track

from .exit_codes import is_first

T = TypeVar('T')


def progress(message: str) -> None:
    """Print the step that starts."""
    print(f'{message} ...', file=sys.stderr, flush=True)


@contextmanager
def working(what: str) -> Iterator[None]:
    """Show a spinner during some work, if stderr is a terminal.

    In a distributed run only the first process of each machine shows it.

    Args:
        what: Description of the work, such as 'Making the images'.
    """
    from rich.console import Console

    console = Console(stderr=True)
    if console.is_terminal and is_first():
        with console.status(what):
            yield
    else:
        yield


def track_rate(items: Iterable[T], what: str, total: int | None) -> Iterator[T]:
    """Yield items, with a progress bar and their rate if stderr is a terminal.

    Args:
        items: The items.
        what: Description of the work, such as 'Detecting'.
        total: Number of items; None if it is unknown.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f'{task.speed or 0:.1f}/s')

    console = Console(stderr=True)
    columns = (TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn())
    with Progress(
        *(*columns, Rate(), TimeRemainingColumn()),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task(what, total=total)
        for item in items:
            yield item
            bar.advance(task)


__all__ = ['progress', 'track', 'track_rate', 'working']
