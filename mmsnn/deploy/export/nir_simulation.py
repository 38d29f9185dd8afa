"""Simulation of NIR graphs by SpikingJelly, and comparison with the network."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mmsnn.deploy.folding import fold_norms


@torch.no_grad()
def simulate_nir(graph: Any, images: Tensor) -> list[Tensor]:
    """Return what a graph of :func:`export_nir` returns when SpikingJelly imports it.

    Args:
        graph: The ``nir.NIRGraph``.
        images: Images ``[N, C, H, W]`` or frames ``[N, T, C, H, W]``, fp32 or fp64.

    Returns:
        For each output node ``[T, N, ...]``.

    Raises:
        ImportError: If nir or nirtorch is missing.
        ValueError: If SpikingJelly cannot import a node.
    """
    from spikingjelly.activation_based.nir_exchange import import_from_nir

    settings = graph.metadata
    steps, dt = int(settings['num_steps']), float(settings['dt'])
    frames = images.transpose(0, 1) if images.dim() == 5 else [images] * steps
    outputs = []
    # NIRTorch runs graphs of one output
    for name in graph.outputs:
        network = import_from_nir(_up_to(graph, name), dt, dtype=images.dtype)
        state, found = None, []
        for frame in frames:
            # NIRTorch returns the inputs of an output, not their sum
            *parts, state = network(frame, state)
            found.append(torch.stack(parts).sum(0))
        outputs.append(torch.stack(found))
    return outputs


def _up_to(graph: Any, output: str) -> Any:
    """Return the part of a graph that an output depends on."""
    import nir

    needed, new = set(), {output}
    while new:
        needed |= new
        new = {source for source, target in graph.edges if target in new} - needed
    nodes = {name: node for name, node in graph.nodes.items() if name in needed}
    edges = [edge for edge in graph.edges if edge[1] in needed]
    return nir.NIRGraph(nodes, edges)


@dataclass(frozen=True)
class OutputAgreement:
    """How an output of a NIR graph agrees with the network's.

    Attributes:
        output: Name of the output node.
        values: Number of values, over all time steps.
        mean: Mean of the network's values; for spikes, their rate.
        differing: Number of values that differ by more than 0.001.
        error: Greatest difference.
    """

    output: str
    values: int
    mean: float
    differing: int
    error: float


@torch.no_grad()
def compare_nir(
    network: nn.Module, graph: Any, images: Tensor
) -> Iterator[OutputAgreement]:
    """Yield how the outputs of a graph agree with the network's, with folded norms.

    Args:
        network: The network, in evaluation mode.
        graph: Its ``nir.NIRGraph``.
        images: Its input.
    """
    outputs = fold_norms(network)(images)
    expected = [outputs] if isinstance(outputs, Tensor) else outputs
    found = simulate_nir(graph, images)
    for name, one, other in zip(graph.outputs, expected, found, strict=True):
        if graph.metadata['average_outputs']:
            other = other.mean(0)
        error = (one - other).abs()
        differing = int((error > 1e-3).sum())
        yield OutputAgreement(
            name, one.numel(), float(one.mean()), differing, float(error.amax())
        )


__all__ = ['OutputAgreement', 'compare_nir', 'simulate_nir']
