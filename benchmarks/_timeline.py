"""Times of the parts of a network, forward and backward.

Parts run one after the other. In the backward pass, PyTorch runs the newest operations
first, so that the parts run in reverse order: a part begins when the last of its
outputs has its gradient, and ends when the next part begins.
"""

import time
from collections.abc import Iterable, Mapping
from statistics import median

from torch import Tensor, nn

Spans = dict[str, float]


def tensors_of(value: object) -> Iterable[Tensor]:
    """Return the tensors of an output, however deep in tuples and lists."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for element in value:
            yield from tensors_of(element)


class Timeline:
    """Measures the parts of a network at every call, in seconds.

    Args:
        parts: Modules by name, in the order in which they run.
        inside: Names of the parts inside another part, by the name of the latter; their
            time is not included in its time.

    Attributes:
        forward: A list for each part, with one number per call.
        backward: Likewise, for calls that :meth:`backward_done` follows.
    """

    def __init__(
        self,
        parts: Mapping[str, nn.Module],
        inside: Mapping[str, tuple[str, ...]],
    ) -> None:
        self.inside = inside
        self.names = list(parts)
        self.forward: dict[str, list[float]] = {name: [] for name in parts}
        self.backward: dict[str, list[float]] = {name: [] for name in parts}
        self._start: Spans = {}
        self._arrived: Spans = {}
        for name, module in parts.items():
            module.register_forward_pre_hook(self._enter(name))
            module.register_forward_hook(self._leave(name))

    def _enter(self, name: str):
        def hook(module: nn.Module, inputs: object) -> None:
            self._start[name] = time.perf_counter()

        return hook

    def _leave(self, name: str):
        def arrive(gradient: Tensor) -> None:
            self._arrived[name] = time.perf_counter()

        def hook(module: nn.Module, inputs: object, output: object) -> None:
            self.forward[name].append(time.perf_counter() - self._start[name])
            for tensor in tensors_of(output):
                if tensor.requires_grad:
                    tensor.register_hook(arrive)

        return hook

    def backward_done(self) -> None:
        """Mark the end of a backward pass, and assign its time to the parts."""
        end = time.perf_counter()
        for name in self.names:
            if name not in self.inside:
                self.backward[name].append(end - self._arrived[name])
                end = self._arrived[name]
        self._arrived.clear()

    def clear(self) -> None:
        """Discard all measurements, such as those of warm-up calls."""
        for times in (*self.forward.values(), *self.backward.values()):
            times.clear()

    def medians(self, direction: str) -> Spans:
        """Return the median seconds of each part.

        Args:
            direction: ``'forward'`` or ``'backward'``.
        """
        times = getattr(self, direction)
        spans = {name: median(found) for name, found in times.items() if found}
        for outer, inner in self.inside.items():
            if outer in spans:
                spans[outer] -= sum(spans[name] for name in inner)
        return spans
