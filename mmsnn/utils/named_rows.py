"""Tables of named rows that users can extend."""

from collections.abc import Mapping
from typing import TypeVar

from .checks import describe

Row = TypeVar('Row')


class NamedRows(dict[str, Row]):
    """A table of rows by name, similar to MMEngine's registries of classes.

    It is read as a dict. ``register`` adds a row; no other code has to be changed.

    Args:
        what: What a row describes, for error messages: ``'residual family'``.
        kind: The type of the rows.
        rows: The rows of the package itself.
    """

    def __init__(self, what: str, kind: type, rows: Mapping[str, Row]) -> None:
        super().__init__()
        self.what, self.kind = what, kind
        for name, row in rows.items():
            self.register(name, row)

    def register(self, name: str, row: Row) -> None:
        """Add a row.

        Raises:
            TypeError: If the name is not a string or the row has another type.
            ValueError: If the name is empty or taken.
        """
        if not isinstance(name, str):
            raise TypeError(
                f'the name of a {self.what} must be a string, but got {describe(name)}'
            )
        if not isinstance(row, self.kind):
            raise TypeError(
                f'{self.what} {name!r} must be a {self.kind.__name__}, '
                f'but got {describe(row)}'
            )
        if not name or name in self:
            raise ValueError(
                f'the name of a {self.what} must be new and not empty, but got '
                f'{name!r}; taken are {", ".join(self) or "none"}'
            )
        self[name] = row


__all__ = ['NamedRows']
