"""Threshold-dependent norms (Zheng et al. 2021), as tdBN and MS-ResNet use them."""

import math

import pytest
import torch
from spikingjelly.activation_based.layer import ThresholdDependentBatchNorm2d
from torch import nn

from mmsnn.models import ResNetSNN
from mmsnn.models.layers import LayerFactory
from mmsnn.models.residual import FAMILIES, BasicBlock, Bottleneck

STEPS = 3
HALF = 1 / math.sqrt(2)
NEURONS = {
    1.0: {'type': 'IF'},
    0.5: {'type': 'LIF', 'v_threshold': 0.5},
}


def make_block(v_threshold, block=BasicBlock, stride=1):
    layers = LayerFactory(STEPS, NEURONS[v_threshold], {'type': 'BN'})
    layers = layers.scaled_to_threshold()
    return block(8, 8 // block.expansion, stride, FAMILIES['tdBN'], layers)


def norms_of(module):
    norms = {
        name: m for name, m in module.named_modules() if isinstance(m, nn.BatchNorm2d)
    }
    assert all((n.weight == n.weight[0]).all() for n in norms.values())
    assert all((n.bias == 0).all() for n in norms.values())
    return norms


@pytest.mark.parametrize('stride', [1, 2])
@pytest.mark.parametrize('block', [BasicBlock, Bottleneck])
@pytest.mark.parametrize('v_threshold', NEURONS)
def test_weights_start_at_the_threshold_times_alpha(v_threshold, block, stride):
    made = make_block(v_threshold, block, stride=stride)
    weights = {k: n.weight[0].item() for k, n in norms_of(made).items()}
    *inner, last = (f'branch.{i}.norm' for i in range(len(made.branch)))
    # two paths of variance 1/2 add up to 1, the shortcut's where nothing changes too
    expected = dict.fromkeys(inner, v_threshold)
    expected |= {last: HALF * v_threshold, 'projection.norm': HALF * v_threshold}
    assert weights == pytest.approx(expected)


@pytest.mark.parametrize('family', ['tdBN', 'MS', 'EMS'])
@pytest.mark.parametrize('v_threshold', NEURONS)
def test_weights_of_a_network(v_threshold, family):
    options = {'base_channels': 4, 'neuron': NEURONS[v_threshold]}
    backbone = ResNetSNN(18, family, **options)
    backbone.init_weights()
    paths = ('branch.1.norm', 'projection.norm')
    for name, norm in norms_of(backbone).items():
        expected = v_threshold
        if family == 'tdBN' and name.endswith(paths):
            expected *= HALF
        elif family == 'EMS' and name.endswith('branch.1.norm'):
            expected *= 0.2
        assert norm.weight[0].item() == pytest.approx(expected), name
    shortcuts = sum(name.endswith('projection.norm') for name in norms_of(backbone))
    assert shortcuts == (8 if family == 'tdBN' else 3)


@pytest.mark.parametrize(
    'family', [name for name, row in FAMILIES.items() if not row.threshold_norm]
)
def test_norms_of_other_families_start_at_1(family):
    options = {'base_channels': 4, 'neuron': NEURONS[0.5]}
    backbone = ResNetSNN(10, family, **options)
    backbone.init_weights()
    assert all((norm.weight == 1).all() for norm in norms_of(backbone).values())


@pytest.mark.parametrize('stride', [1, 2])
@pytest.mark.parametrize('v_threshold', NEURONS)
def test_equals_spikingjelly(v_threshold, stride):
    made = make_block(v_threshold, stride=stride).double()
    x = (torch.rand(STEPS * 2, 8, 6, 6) < 0.4).double()
    reference = make_block(v_threshold, stride=stride).double()
    reference.load_state_dict(made.state_dict())
    for name, norm in norms_of(reference).items():
        alpha = HALF if name in ('branch.1.norm', 'projection.norm') else 1.0
        theirs = ThresholdDependentBatchNorm2d(alpha, v_threshold, 8).double()
        torch.testing.assert_close(norm.weight.float(), theirs.weight.float())
        parent, _, child = name.rpartition('.')
        setattr(reference.get_submodule(parent), child, Unfolded(theirs))
    y = made(x)
    assert 0.01 < y.mean() < 0.9
    assert torch.equal(y, reference(x))
    assert torch.equal(made.eval()(x), reference.eval()(x))


class Unfolded(nn.Module):
    """SpikingJelly's norm, which wants time as a dimension of its own."""

    def __init__(self, norm):
        super().__init__()
        self.norm = norm

    def forward(self, x):
        return self.norm(x.unflatten(0, (STEPS, -1))).flatten(0, 1)


@pytest.mark.parametrize('v_threshold', NEURONS)
def test_currents_have_the_variance_of_the_threshold(v_threshold):
    """Zheng et al. 2021, Theorem 2: what neurons are given is N(0, v_th^2)."""
    block = make_block(v_threshold)
    currents = []
    neurons = (block.branch[0].neuron, block.post.neuron)
    for neuron in neurons:
        neuron.register_forward_pre_hook(lambda _, args: currents.append(args[0]))
    block((torch.rand(STEPS * 8, 8, 16, 16) < 0.4).float())
    first, merged = currents
    assert first.mean().item() == pytest.approx(0, abs=1e-4)
    assert first.std().item() == pytest.approx(v_threshold, rel=0.01)
    # as far as the two paths are independent
    assert merged.std().item() == pytest.approx(v_threshold, rel=0.1)
