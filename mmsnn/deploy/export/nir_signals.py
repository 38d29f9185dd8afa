"""Values of a traced network, per sample and time step, and the NIR graph they form."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor


class NotInNIR(Exception):
    """NIR cannot express an operation; the message is the reason."""


@dataclass(frozen=True)
class Signal:
    """A tensor of the network, as NIR sees it: one sample at one time step.

    Attributes:
        sources: Names of the NIR nodes whose outputs it sums.
        shape: Shape per sample and time step, ``(C, H, W)`` or ``(C,)``.
        order: Order of time steps T and samples N in the leading dimensions, ``'N'`` if
            the value is the same at all time steps.
        binary: Whether all values are 0 or 1.
        averaged: Whether it is the mean over time of what ``sources`` return.
    """

    sources: tuple[str, ...]
    shape: tuple[int, ...]
    order: str
    binary: bool = False
    averaged: bool = False


class GraphBuilder:
    """Collects nodes and edges.

    Args:
        num_steps: Number of time steps T.
    """

    def __init__(self, num_steps: int) -> None:
        self.num_steps = num_steps
        self.nodes: dict[str, Any] = {}
        self.edges: list[tuple[str, str]] = []

    def add(self, name: str, node: Any, sources: Sequence[str]) -> str:
        """Add a node that takes the sum of its sources, and return its unique name."""
        unique, number = name, 1
        while unique in self.nodes:
            number += 1
            unique = f'{name}_{number}'
        self.nodes[unique] = node
        self.edges += [(source, unique) for source in sources]
        return unique


@dataclass(frozen=True)
class Call:
    """An operation of the traced network.

    Attributes:
        graph: The graph to which its nodes are added.
        layer: Name of the layer that calls it.
        given: Shape of its first argument.
        shape: Shape of its result.
    """

    graph: GraphBuilder
    layer: str
    given: tuple[int, ...]
    shape: tuple[int, ...]

    @property
    def num_steps(self) -> int:
        """Number of time steps T."""
        return self.graph.num_steps

    def lead(self, x: Signal) -> tuple[int, ...]:
        """Return the sizes of the first argument's dimensions of time and samples."""
        return self.given[: len(self.given) - len(x.shape)]

    def is_timed(self, x: Signal) -> bool:
        """Return whether time is the outermost dimension."""
        return x.order == 'TN' or self.num_steps == 1

    def linear(
        self, x: Signal, node: Any, shape: Sequence[int], suffix: str = ''
    ) -> Signal:
        """Add a node that is linear in ``x``, up to a bias, and return its output."""
        name = self.graph.add(self.layer + suffix, node, x.sources)
        return replace(x, sources=(name,), shape=tuple(shape), binary=False)

    def neuron(self, x: Signal, node: Any, suffix: str = '') -> Signal:
        """Add a neuron that takes ``x``, and return its spikes."""
        name = self.graph.add(self.layer + suffix, node, x.sources)
        return Signal((name,), x.shape, 'TN', binary=True)


def pair(value: int | Sequence[int]) -> tuple[int, int]:
    """Return a setting of a convolution or pool for height and width."""
    if isinstance(value, int):
        return value, value
    return (value[0], value[-1])


def array(x: Tensor) -> Any:
    """Return a tensor as a NumPy array."""
    return x.detach().cpu().numpy()


__all__ = ['Call', 'GraphBuilder', 'NotInNIR', 'Signal', 'array', 'pair']
