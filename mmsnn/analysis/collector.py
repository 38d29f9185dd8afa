"""The base class of everything that watches a model."""

from collections.abc import Iterator
from types import TracebackType
from typing import Self

from torch import nn
from torch.utils.hooks import RemovableHandle

from .model_parts import unwrap


class Collector:
    """Watches a model while it is entered, and leaves it as it was.

    Derived classes register hooks in :meth:`attach`; all are removed on exit, whether
    by an exception or not. What they keep are numbers, never tensors with a graph. They
    may be entered again, and go on adding up; ``result()`` returns what was seen so
    far as frozen dataclasses.

    Args:
        model: The model, in whatever mode; a wrapper's inner model is watched.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = unwrap(model)
        self._handles: list[RemovableHandle] = []

    def attach(self) -> Iterator[RemovableHandle]:
        """Register the hooks; yield their handles."""
        raise NotImplementedError(f'{type(self).__name__} defines no attach')

    def __enter__(self) -> Self:
        """Attach the hooks.

        Raises:
            RuntimeError: If the collector is entered already.
        """
        if self._handles:
            raise RuntimeError(f'{type(self).__name__} is entered already')
        try:
            for handle in self.attach():
                self._handles.append(handle)
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Remove the hooks."""
        self._remove()

    def _remove(self) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()


__all__ = ['Collector']
