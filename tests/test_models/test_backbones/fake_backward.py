"""Backward passes over fake tensors of a device that the machine does not have."""

from collections.abc import Sequence
from graphlib import TopologicalSorter

import torch
from torch import Tensor
from torch.autograd.graph import Node


@torch.no_grad()
def fake_gradients(outputs: Sequence[Tensor]) -> dict[Tensor, Tensor]:
    """Return the gradients of the outputs' sum by every leaf.

    PyTorch's engine asks the device's driver for streams. This calls the same backward
    functions, one after the other.
    """
    order = _in_order([output.grad_fn for output in outputs])
    grads: dict[Node, list[Tensor | None]] = {}
    for output in outputs:
        _add(grads, output.grad_fn, output.output_nr, torch.ones_like(output))
    leaves = {}
    for node in order:
        given = grads.pop(node)
        if hasattr(node, 'variable'):
            leaves[node.variable] = given[0]
            continue
        for (successor, number), grad in _steps(node, given):
            if grad is not None:
                _add(grads, successor, number, grad)
    return leaves


def _steps(
    node: Node, given: list[Tensor | None]
) -> list[tuple[tuple[Node, int], Tensor | None]]:
    """Return the gradients of a node's inputs, with the node that each goes to."""
    targets = [target for target in node.next_functions if target[0] is not None]
    if hasattr(node, 'needs_input_grad'):  # of Python's torch.autograd.Function
        results, needed = node.apply(*given), node.needs_input_grad
    else:
        results = node(*given)
        results = results if isinstance(results, tuple) else (results,)
        needed = [target is not None for target, _ in node.next_functions]
    wanted = [result for result, need in zip(results, needed, strict=True) if need]
    return list(zip(targets, wanted, strict=True))


def _add(grads: dict, node: Node, number: int, grad: Tensor) -> None:
    expected = node._input_metadata[number]
    assert (grad.device, grad.dtype) == (expected.device, expected.dtype)
    grad = grad.sum_to_size(expected.shape)  # as the engine does after broadcasting
    known = grads.setdefault(node, [None] * len(node._input_metadata))
    known[number] = grad if known[number] is None else known[number] + grad


def _in_order(roots: list[Node]) -> list[Node]:
    """Return the nodes of a graph, each before those that it leads to."""
    graph, waiting = TopologicalSorter(), list(roots)
    seen = set(roots)
    while waiting:
        node = waiting.pop()
        successors = [s for s, _ in node.next_functions if s is not None]
        graph.add(node)
        for successor in successors:
            graph.add(successor, node)
        waiting += set(successors) - seen
        seen |= set(successors)
    return list(graph.static_order())
