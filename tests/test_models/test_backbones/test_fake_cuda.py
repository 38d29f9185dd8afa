"""Networks on fake CUDA tensors: mixed devices raise, on any machine."""

from collections.abc import Iterator

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from mmsnn.models import DenseNetSNN, SevenBNet, SpikeDecoder
from mmsnn.models.neurons import multi_step
from mmsnn.models.stems.presets import STEM_PRESETS
from mmsnn.ops import gate, integer_multi_step

from ..helpers import FAMILY_ENTRIES, SMALL
from .fake_backward import fake_gradients

NEURONS = [
    dict(type='IF', v_reset=None),
    dict(type='LIF', surrogate=dict(type='Sigmoid')),
    dict(type='LIF', decay_input=False, detach_reset=True, v_reset=-0.1),
    dict(type='PLIF', surrogate=dict(type='Rectangular')),
]
CODED = [
    dict(type='RateStem', kernel_size=3, stride=1, pool=False),
    dict(type='LatencyStem', kernel_size=3, stride=1, pool=False),
    dict(type='PhaseStem', kernel_size=3, stride=1, pool=False, period=2),
]


@pytest.fixture(autouse=True)
def cuda() -> Iterator[None]:
    """Make all new tensors fake ones on CUDA."""
    with FakeTensorMode(), torch.device('cuda'):
        yield


def make(family: str, depth: int = 10, **options) -> nn.Module:
    """Return a narrow backbone with PyTorch's initial weights."""
    entry, own = FAMILY_ENTRIES[family]
    return entry(depth, **{**SMALL, **own, **options})


def check(net: nn.Module, decoder: str = 'Rate', size: int = 32) -> None:
    """Run forward and backward of a backbone in training with a decoder behind it."""
    neck = SpikeDecoder(net.out_channels, net.num_steps, dict(type=decoder))
    levels = neck(net.train()(torch.rand(2, 3, size, size)))
    assert {level.device.type for level in levels} == {'cuda'}
    leaves = fake_gradients(levels)
    learned = {p for p in (*net.parameters(), *neck.parameters()) if p.requires_grad}
    assert leaves.keys() == learned
    for parameter, grad in leaves.items():
        assert grad.device.type == 'cuda'
        assert grad.shape == parameter.shape


@pytest.mark.parametrize('depth', [10, pytest.param(50, marks=pytest.mark.slow)])
@pytest.mark.parametrize('family', FAMILY_ENTRIES)
def test_family(family, depth) -> None:
    check(make(family, depth))


@pytest.mark.parametrize('neuron', NEURONS, ids=lambda neuron: neuron['type'])
@pytest.mark.parametrize('decoder', ['Rate', 'ASD'])
def test_neuron_and_decoder(decoder, neuron) -> None:
    check(make('SG-BSG', neuron=neuron, base_channels=16), decoder)


@pytest.mark.parametrize('stem', [*STEM_PRESETS, *CODED], ids=str)
def test_stem(stem) -> None:
    check(make('MS', stem=stem))


def test_seven_b() -> None:
    check(SevenBNet(num_steps=2, in_channels=3), size=128)


def test_densenet() -> None:
    check(DenseNetSNN(121, num_steps=2))


def test_mixed_devices_raise() -> None:
    net = make('SG-BSG')
    image = torch.randn(1, 3, 32, 32, device='cpu')
    with pytest.raises(RuntimeError, match='device'):
        net(image)
    x, other = torch.rand(2, 3), torch.rand(2, 3, device='cpu')
    with pytest.raises(ValueError, match='must be on the device of residual, cuda:0'):
        gate(x, other)
    dynamics = net.stages[0][0].branch[0].neuron.dynamics
    with pytest.raises(ValueError, match='learned_decay must be on the device'):
        multi_step(x, torch.tensor(0.5, device='cpu'), dynamics)
    assert integer_multi_step(x, 0.25, 4).device.type == 'cuda'
