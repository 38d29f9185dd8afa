"""torch.compile of backbones: one graph, the same spikes, the same gradients."""

import copy
from collections.abc import Iterator

import pytest
import torch

from ..helpers import FAMILY_ENTRIES
from .networks import make_active

# every merge, every order of layers; one of each also among the fast tests
FAST = ('SG-BSG', 'DANet-D')
FAMILIES = [
    pytest.param(name, marks=() if name in FAST else pytest.mark.slow)
    for name in FAMILY_ENTRIES
]
NEURONS = [
    dict(type='LIF', v_reset=None),
    dict(type='PLIF', detach_reset=True),
    dict(type='LIF', decay_input=False, v_reset=-0.1, surrogate=dict(type='Sigmoid')),
    dict(type='PLIF', v_reset=-0.1, surrogate=dict(type='Rectangular')),
]


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def compiled(backbone):
    # fullgraph raises an error at what would break the graph
    return torch.compile(backbone, backend='aot_eager', fullgraph=True)


def check_inference(backbone, image):
    backbone.eval()
    with torch.no_grad():
        expected, levels = backbone(image), compiled(backbone)(image)
    for level, right in zip(levels, expected, strict=True):
        assert right.any()
        assert torch.equal(level, right)
        assert level.stride() == right.stride()


def check_training(backbone, image):
    # in double precision: rounding would flip no spike, but show in the gradients
    backbone = backbone.double().train()
    image = image.double()
    other = copy.deepcopy(backbone)
    levels, expected = compiled(backbone)(image), other(image)
    weights = [torch.randn_like(level) for level in expected]
    for some in (levels, expected):
        sum((f * w).sum() for f, w in zip(some, weights, strict=True)).backward()
    for level, right in zip(levels, expected, strict=True):
        assert torch.equal(level, right)
    for given, right in zip(backbone.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(given.grad, right.grad, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize('family', FAMILIES)
def test_inference(family):
    check_inference(make_active(family, 10), torch.randn(2, 3, 64, 64))


@pytest.mark.parametrize('family', FAMILIES)
def test_training(family):
    backbone = make_active(family, 10, out_indices=(0, 1))
    check_training(backbone, torch.randn(2, 3, 64, 64))


@pytest.mark.slow
@pytest.mark.parametrize('neuron', NEURONS, ids=lambda neuron: neuron['type'])
def test_neurons(neuron):
    backbone = make_active('SG-BSG', 10, neuron=neuron, out_indices=(0, 1))
    check_inference(copy.deepcopy(backbone), torch.randn(2, 3, 64, 64))
    torch._dynamo.reset()
    check_training(backbone, torch.randn(2, 3, 64, 64))


@pytest.mark.slow
@pytest.mark.parametrize('stem', ['cifar', 'gac'])
def test_stems(stem):
    backbone = make_active('MS', 10, stem=stem, out_indices=(0,))
    check_inference(backbone, torch.randn(2, 2, 3, 32, 32))
    torch._dynamo.reset()
    check_training(backbone, torch.randn(2, 3, 32, 32))


@pytest.mark.slow
def test_autocast():
    backbone = make_active('SG-BSG', 10, out_indices=(0, 1)).eval()
    with torch.autocast('cpu', torch.bfloat16):
        check_inference(backbone, torch.randn(2, 3, 64, 64))
