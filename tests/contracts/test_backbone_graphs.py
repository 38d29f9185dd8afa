"""Every registered backbone as a graph: compiled, exported, traced, on fake tensors."""

import copy
from typing import Any

import pytest
import torch
from test_models.test_backbones.fake_backward import fake_gradients
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx

from mmsnn.models import ResNetSNN, SpikeDecoder
from mmsnn.models.neurons import BaseNeuron
from mmsnn.models.residual import GateMerge, LearnedGateMerge
from mmsnn.registry import MODELS

from .parts import (
    CASES,
    IMAGES,
    STEPS,
    Case,
    active_backbone,
    build_backbone,
    case_id,
)


def marks(case: Case) -> Any:
    """Compilers take a second: one of each kind, and ResNets with all their parts."""
    name, options = case
    if options:
        families = ('SG-BSG', 'SG-BSG*', 'PA-B', 'EMS')
        few = options in [dict(family=family) for family in families]
    else:
        alike = name in ('MetaSpikeFormer', 'PooledResNet')
        few = not alike and not issubclass(MODELS.get(name), ResNetSNN)
    return () if few else pytest.mark.slow


FEW = pytest.mark.parametrize(
    'case', [pytest.param(case, marks=marks(case), id=case_id(case)) for case in CASES]
)


def one_level(case, **options: Any) -> nn.Module:
    first = case[1].get('out_indices', (0,))[:1]
    return active_backbone(case, out_indices=first, **options)


def check_graph(backbone: nn.Module, graph: torch.fx.Graph) -> list[str]:
    """One operator for each layer of neurons and each gate, no unrolled loop."""
    targets = [str(node.target) for node in graph.nodes]
    for name, kind in (('multi_step', BaseNeuron), ('mmsnn.gate', GateMerge)):
        expected = sum(isinstance(m, kind) for m in backbone.modules())
        assert sum(name in target for target in targets) == expected
    return targets


@FEW
def test_compiled_training(case) -> None:
    """One graph; outputs and gradients are those without a compiler."""
    torch._dynamo.reset()
    graphs, eager = [], torch._dynamo.lookup_backend('aot_eager')

    def backend(module: torch.fx.GraphModule, example: list[Any]) -> Any:
        graphs.append(module.graph)
        return eager(module, example)

    backbone = one_level(case).double().train()
    other, image = copy.deepcopy(backbone), torch.randn(IMAGES, dtype=torch.double)
    compiled = torch.compile(backbone, backend=backend, fullgraph=True)
    (level,), (expected,) = compiled(image), other(image)
    assert torch.equal(level, expected)
    weight = torch.randn_like(level)
    for features in (level, expected):
        (features * weight).sum().backward()
    for given, right in zip(backbone.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(given.grad, right.grad, rtol=1e-8, atol=1e-8)
    torch._dynamo.reset()
    (graph,) = graphs
    check_graph(other, graph)


@FEW
@torch.no_grad()
def test_exported_and_traced(case) -> None:
    """Programs that compute the same of another image than that of tracing."""
    own = 'family' not in case[1]
    options = {} if own else dict(neuron=dict(type='PLIF', v_reset=-0.1))
    backbone = one_level(case, **options).eval()
    program = torch.export.export(backbone, (torch.randn(IMAGES),))
    traced, image = make_fx(backbone)(torch.randn(IMAGES)), torch.randn(IMAGES)
    (expected,) = backbone(image)
    assert expected.any()
    for network, graph in (
        (program.module(), program.graph),
        (traced, traced.graph),
    ):
        (level,) = network(image)
        assert torch.equal(level, expected)
        assert level.stride() == expected.stride()
        targets = check_graph(backbone, graph)
        # BSG*'s gate compares with its threshold by itself
        learned = sum(isinstance(m, LearnedGateMerge) for m in backbone.modules())
        assert sum('.ge.' in target for target in targets) == learned


@pytest.mark.parametrize('case', CASES, ids=case_id)
def test_fake_cuda(case) -> None:
    """Forward and backward on fake CUDA tensors: mixed devices raise anywhere."""
    with FakeTensorMode(), torch.device('cuda'):
        net = build_backbone(case)
        neck = SpikeDecoder(net.out_channels, STEPS)
        levels = neck(net.train()(torch.rand(IMAGES)))
        assert {level.device.type for level in levels} == {'cuda'}
        leaves = fake_gradients(levels)
    assert leaves.keys() == {p for p in net.parameters() if p.requires_grad}
    for parameter, grad in leaves.items():
        assert (grad.device.type, grad.shape) == ('cuda', parameter.shape)


def test_mixed_devices_raise() -> None:
    with FakeTensorMode(), torch.device('cuda'):
        backbone = build_backbone(('SGResNet', {}))
        with pytest.raises(RuntimeError, match='device'):
            backbone(torch.randn(IMAGES, device='cpu'))
