"""Spiking, SEW and MS ResNets equal SpikingJelly's, with the same weights.

Everything runs in double precision, so that the order of a convolution's sums cannot
decide whether a neuron fires.
"""

import pytest
import torch
from spikingjelly.activation_based import functional, surrogate
from spikingjelly.activation_based.model import ms_resnet, sew_resnet, spiking_resnet
from spikingjelly.activation_based.neuron import IFNode
from torch import nn

from mmsnn.models import MSResNet, SEWResNet, SpikingResNet
from mmsnn.models.initializers.published_weights import our_name

STEPS = 3
# SpikingJelly's default in its MS-ResNet
MS_NEURON = {
    'type': 'LIF',
    'tau': 4 / 3,
    'v_threshold': 0.5,
    'decay_input': False,
    'detach_reset': True,
    'surrogate': {'type': 'Rectangular', 'alpha': 2.0},
}


class SJNeuron(IFNode):
    """SpikingJelly's IF with our default surrogate; its networks pass no arguments."""

    def __init__(self, step_mode='m'):
        super().__init__(surrogate_function=surrogate.ATan(), step_mode=step_mode)


# their module, the start of the function's name and its arguments; our entry and its
PAIRS = {
    'Spiking': (
        (spiking_resnet, 'spiking_resnet', {'spiking_neuron': SJNeuron}),
        (SpikingResNet, {}),
    ),
    **{
        f'SEW-{connect}': (
            (sew_resnet, 'sew_resnet', {'cnf': connect, 'spiking_neuron': SJNeuron}),
            (SEWResNet, {'connect': connect}),
        )
        for connect in ('ADD', 'AND', 'IAND')
    },
    'MS': ((ms_resnet, 'ms_resnet', {}), (MSResNet, {'neuron': MS_NEURON})),
    'MS with IF': (
        (ms_resnet, 'ms_resnet', {'spiking_neuron': SJNeuron}),
        (MSResNet, {}),
    ),
}


def build_theirs(depth, family):
    (module, name, options), _ = PAIRS[family]
    network = getattr(module, f'{name}{depth}')(**options).double()
    functional.set_step_mode(network, 'm')
    return network


def build_ours(depth, family):
    _, (entry, options) = PAIRS[family]
    return entry(depth, num_steps=STEPS, **options)


def make_pair(depth, family):
    """Return SpikingJelly's network and ours, of the same weights."""
    theirs = build_theirs(depth, family)
    for module in theirs.modules():
        if isinstance(module, nn.BatchNorm2d):
            # active branches, so that the merges decide what follows
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, 0.3, 1.3)
    with torch.device('meta'):  # theirs are all the values that it needs
        ours = build_ours(depth, family)
    state = {
        our_name(name): value.clone()
        for name, value in theirs.state_dict().items()
        if our_name(name)
    }
    ours.load_state_dict(state, strict=True, assign=True)
    return theirs, ours


def run_theirs(network, image):
    """Return the last features that SpikingJelly's network pools, and its logits."""
    functional.reset_net(network)
    features = []
    last = getattr(network, 'head_lif', network.layer4)
    handle = last.register_forward_hook(lambda *args: features.append(args[2]))
    logits = network(image.expand(STEPS, *image.shape))
    handle.remove()
    return features[0], logits


def classify(network, features):
    """Return SpikingJelly's logits of these features."""
    pooled = features.mean((3, 4))
    if hasattr(network, 'head'):
        return network.head(pooled).mean(0)
    return network.fc(pooled)


def images():
    return torch.randn(2, 3, 32, 32, dtype=torch.float64)


CASES = [
    *((18, family) for family in PAIRS),
    *(
        pytest.param(depth, family, marks=pytest.mark.slow)
        for family in PAIRS
        for depth in (34, 50, 101, 152)
        if (depth == 34 or not family.startswith('MS'))
        and (depth, family) != (50, 'SEW-IAND')
        and (depth < 101 or family == 'SEW-ADD')
    ),
]


@pytest.mark.parametrize(('depth', 'family'), CASES)
def test_equal(depth, family):
    theirs, ours = make_pair(depth, family)
    image = images()

    expected, logits = run_theirs(theirs, image)
    (features,) = ours(image)
    assert 0.01 < expected.mean() < expected.max()
    assert torch.equal(features, expected)
    torch.testing.assert_close(classify(theirs, features), logits)

    weight = torch.randn_like(expected)
    (expected * weight).sum().backward()
    (features * weight).sum().backward()
    gradients = {name: p.grad for name, p in ours.named_parameters()}
    assert gradients['stem.encode.conv.weight'].any()
    for name, p in theirs.named_parameters():
        if our_name(name):
            # sums of many terms of both signs: relative to the largest
            scale = max(1.0, p.grad.abs().max().item())
            grad = gradients[our_name(name)]
            torch.testing.assert_close(grad, p.grad, atol=1e-8 * scale, rtol=1e-6)


@pytest.mark.parametrize(
    ('depth', 'family'),
    [(18, 'SEW-ADD'), (50, 'SEW-ADD'), (18, 'Spiking'), (18, 'MS')],
)
def test_equal_in_evaluation_mode(depth, family):
    theirs, ours = make_pair(depth, family)
    image = images()
    norms = [m for m in theirs.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    run_theirs(theirs, image)
    statistics = {our_name(n): b for n, b in theirs.named_buffers() if our_name(n)}
    ours.load_state_dict({**ours.state_dict(), **statistics})
    with torch.no_grad():
        expected, _ = run_theirs(theirs.eval(), image)
        (features,) = ours.eval()(image)
    assert expected.mean() > 0.1
    assert torch.equal(features, expected)


@pytest.mark.parametrize('depth', [18, 34])
def test_ms_norms_start_at_the_same_values(depth):
    theirs, ours = build_theirs(depth, 'MS'), build_ours(depth, 'MS')
    ours.init_weights()
    state = ours.state_dict()
    norms = {
        f'{name}.{parameter}': value
        for name, module in theirs.named_modules()
        if isinstance(module, nn.BatchNorm2d)
        for parameter, value in module.named_parameters()
    }
    weights = {v.unique().item() for name, v in norms.items() if 'weight' in name}
    assert weights == {0.0, 0.5}
    for name, value in norms.items():
        assert torch.equal(state[our_name(name)], value), name


def test_iand_bottleneck_differs_and_is_right(monkeypatch):
    theirs, ours = make_pair(50, 'SEW-IAND')
    image = images()
    with torch.no_grad():
        (features,) = ours(image)
        # SpikingJelly's bottleneck hands over its operands the wrong way round:
        # residual AND NOT shortcut, so that a silent branch silences its block
        wrong, _ = run_theirs(theirs, image)
        assert not torch.equal(features, wrong)
        # the paper's (NOT residual) AND shortcut
        monkeypatch.setattr(
            sew_resnet,
            'sew_function',
            lambda residual, shortcut, _: (1 - residual) * shortcut,
        )
        right, _ = run_theirs(theirs, image)
    assert 0.01 < right.mean() < 1
    assert torch.equal(features, right)
