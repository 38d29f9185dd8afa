"""Base class of the collectors, which measure a model with hooks."""

from collections.abc import Iterator
from types import TracebackType
from typing import Self

from torch import nn
from torch.utils.hooks import RemovableHandle

from mmsnn.utils.model_wrappers import unwrap


class Collector:
    """Base class of context managers that measure a model with hooks.

    Derived classes register hooks in :meth:`attach`; all of them are removed on exit,
    also after an exception. They keep numbers or detached tensors only. A collector can
    be entered again and continues to accumulate; ``result()`` returns the measurements
    so far as frozen dataclasses.

    Args:
        model: The model, in any mode. Of a model wrapper, the inner model is used.
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
            RuntimeError: If the collector is already entered.
        """
        if self._handles:
            raise RuntimeError(f'{type(self).__name__} has already been entered')
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
