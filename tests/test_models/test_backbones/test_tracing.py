"""Traced backbones equal eager ones, and hold our operators, not an unrolled loop."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx

from mmsnn.models.neurons import BaseNeuron
from mmsnn.models.residual import GateMerge

from ..helpers import FAMILY_ENTRIES
from .networks import make_active

FAST = ('SG-BSG', 'SG-BSG*')
FAMILIES = [
    pytest.param(name, marks=() if name in FAST else pytest.mark.slow)
    for name in FAMILY_ENTRIES
]
NEURON = dict(type='PLIF', v_reset=-0.1)


def check(net: nn.Module, traced, graph: torch.fx.Graph | None = None) -> None:
    """Compare on another input than that of tracing."""
    image = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        expected, found = net(image), traced(image)
    for level, right in zip(found, expected, strict=True):
        assert right.any()
        assert torch.equal(level, right)
        assert level.stride() == right.stride()
    if graph is not None:
        check_graph(net, graph)


def check_graph(net: nn.Module, graph: torch.fx.Graph) -> None:
    targets = [str(node.target) for node in graph.nodes]
    for name, kind in (('multi_step', BaseNeuron), ('gate', GateMerge)):
        expected = sum(isinstance(module, kind) for module in net.modules())
        assert sum(f'mmsnn.{name}' in target for target in targets) == expected
    # BSG*'s gate compares with its threshold by itself
    learned = sum(
        type(module).__name__ == 'LearnedGateMerge' for module in net.modules()
    )
    assert sum('.ge.' in target for target in targets) == learned


@pytest.mark.parametrize('family', FAMILIES)
def test_make_fx(family) -> None:
    net = make_active(family, 10, neuron=NEURON).eval()
    with torch.no_grad():
        traced = make_fx(net)(torch.randn(2, 3, 64, 64))
    check(net, traced, traced.graph)


def test_compiled_graph() -> None:
    """The graph that a compiler is given."""
    net = make_active('SG-BSG', 10, neuron=NEURON).eval()
    graphs = []

    def backend(module: torch.fx.GraphModule, example: list[Tensor]):
        graphs.append(module.graph)
        return module

    torch._dynamo.reset()
    compiled = torch.compile(net, backend=backend, fullgraph=True)
    with torch.no_grad():
        compiled(torch.randn(2, 3, 64, 64))
    check(net, compiled)
    torch._dynamo.reset()
    (graph,) = graphs
    check_graph(net, graph)


@pytest.mark.parametrize('memory_efficient', [False, True])
def test_training_step_of_make_fx(memory_efficient) -> None:
    """Forward and backward in one graph."""
    options = dict(neuron=NEURON, memory_efficient=memory_efficient)
    net = make_active('SG-BSG', 10, **options).train()
    parameters = {k: p.detach() for k, p in net.named_parameters()}
    buffers = {k: b.clone() for k, b in net.named_buffers()}

    def gradients(parameters: dict[str, Tensor], image: Tensor) -> list[Tensor]:
        learned = {k: p.detach().requires_grad_() for k, p in parameters.items()}
        state = {**learned, **{k: b.clone() for k, b in buffers.items()}}
        levels = torch.func.functional_call(net, state, (image,))
        return torch.autograd.grad(sum(x.sum() for x in levels), list(learned.values()))

    traced = make_fx(gradients)(parameters, torch.randn(2, 3, 64, 64))
    image = torch.randn(2, 3, 64, 64)
    for found, expected in zip(
        traced(parameters, image), gradients(parameters, image), strict=True
    ):
        assert torch.equal(found, expected)
    assert any('multi_step_backward' in str(node.target) for node in traced.graph.nodes)


def test_training_with_fake_tensors() -> None:
    net = make_active('SG-BSG', 10, neuron=NEURON, memory_efficient=True).train()
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        image = mode.from_tensor(torch.randn(2, 3, 64, 64)).requires_grad_()
        sum(level.sum() for level in net(image)).backward()
    assert image.grad.shape == image.shape


def test_saved_torchscript(tmp_path: Path) -> None:
    net = make_active('SG-BSG', 10, neuron=NEURON).eval()
    traced = torch.jit.trace(net, torch.randn(2, 3, 64, 64), check_trace=False)
    torch.jit.save(traced, tmp_path / 'net.pt')
    check(net, torch.jit.load(tmp_path / 'net.pt'))


def test_torchscript_onnx_is_refused(tmp_path: Path) -> None:
    """Its files computed something else."""
    net = make_active('SG-BSG', 10).eval()
    path = tmp_path / 'net.onnx'
    with pytest.raises(NotImplementedError, match=r'use torch\.export'):
        torch.onnx.export(net, torch.randn(2, 3, 64, 64), path, dynamo=False)
    assert not path.exists()
