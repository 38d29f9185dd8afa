"""Progress bars on stderr."""

from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

T = TypeVar('T')


def track(items: Iterable[T], what: str) -> Iterator[T]:
    """Yield the items, with a progress bar if stderr is a terminal.

    Args:
        items: What is iterated over.
        what: What is done with them, such as 'Running the model'.
    """
    from rich.console import Console
    from rich.progress import track as show

    console = Console(stderr=True)
    total = len(items) if isinstance(items, Sized) else None
    yield from show(
        items,
        what,
        total=total,
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


__all__ = ['track']
