"""SEW ResNets equal SpikingJelly's, with the same weights.

Everything runs in double precision, so that the order of a convolution's sums cannot
decide whether a neuron fires.
"""

import pytest
import torch
from spikingjelly.activation_based import functional, surrogate
from spikingjelly.activation_based.model import sew_resnet
from spikingjelly.activation_based.neuron import IFNode
from torch import nn

from mmsnn.models import SEWResNet

STEPS = 3


def our_name(name: str) -> str | None:
    """Translate the name of one of SpikingJelly's weights; None for the classifier."""
    part, _, rest = name.partition('.')
    if part == 'fc':
        return None
    if part in ('conv1', 'bn1'):
        return f'stem.encode.{part[:-1].replace("bn", "norm")}.{rest}'
    block, layer, rest = rest.split('.', 2)
    prefix = f'stages.{int(part.removeprefix("layer")) - 1}.{block}'
    if layer == 'downsample':
        kind, rest = rest.split('.', 1)
        return f'{prefix}.projection.{("conv", "norm")[int(kind)]}.{rest}'
    kind = {'conv': 'conv', 'bn': 'norm'}[layer[:-1]]
    return f'{prefix}.branch.{int(layer[-1]) - 1}.{kind}.{rest}'


def make_pair(depth, connect):
    """Return SpikingJelly's network and ours, of the same weights."""
    theirs = getattr(sew_resnet, f'sew_resnet{depth}')(
        cnf=connect, spiking_neuron=SJNeuron
    ).double()
    functional.set_step_mode(theirs, 'm')
    for module in theirs.modules():
        if isinstance(module, nn.BatchNorm2d):
            # active branches, so that the merges decide what follows
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, 0.3, 1.3)
    ours = SEWResNet(depth, connect, num_steps=STEPS).double()
    state = {
        our_name(name): value
        for name, value in theirs.state_dict().items()
        if our_name(name)
    }
    ours.load_state_dict(state, strict=True)
    return theirs, ours


class SJNeuron(IFNode):
    """SpikingJelly's IF with our default surrogate; its networks pass no arguments."""

    def __init__(self):
        super().__init__(surrogate_function=surrogate.ATan(), step_mode='m')


def run_theirs(network, image):
    functional.reset_net(network)
    features = []
    handle = network.layer4.register_forward_hook(
        lambda *args: features.append(args[2])
    )
    logits = network(image.expand(STEPS, *image.shape))
    handle.remove()
    return features[0], logits


CASES = [
    *((depth, connect) for depth in (18, 34) for connect in ('ADD', 'AND', 'IAND')),
    (50, 'ADD'),
    (50, 'AND'),
]


@pytest.mark.parametrize(('depth', 'connect'), CASES)
def test_equal(depth, connect):
    theirs, ours = make_pair(depth, connect)
    image = torch.randn(2, 3, 64, 64, dtype=torch.float64)

    expected, logits = run_theirs(theirs, image)
    (features,) = ours(image)
    assert 0.01 < expected.mean() < expected.max()
    assert torch.equal(features, expected)
    torch.testing.assert_close(theirs.fc(features.mean((3, 4))), logits)

    weight = torch.randn_like(expected)
    (expected * weight).sum().backward()
    (features * weight).sum().backward()
    gradients = {name: p.grad for name, p in ours.named_parameters()}
    assert gradients['stem.encode.conv.weight'].any()
    for name, p in theirs.named_parameters():
        if our_name(name):
            grad = gradients[our_name(name)]
            torch.testing.assert_close(grad, p.grad, atol=1e-8, rtol=1e-6)


@pytest.mark.parametrize(('depth', 'connect'), [(18, 'ADD'), (50, 'ADD')])
def test_equal_in_evaluation_mode(depth, connect):
    theirs, ours = make_pair(depth, connect)
    image = torch.randn(2, 3, 64, 64, dtype=torch.float64)
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


def test_iand_bottleneck_differs_and_is_right(monkeypatch):
    theirs, ours = make_pair(50, 'IAND')
    image = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    with torch.no_grad():
        (features,) = ours(image)
        # SpikingJelly's bottleneck hands over its operands the wrong way round:
        # residual AND NOT shortcut
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


def test_iand_bottleneck_with_a_silent_branch():
    theirs, ours = make_pair(50, 'IAND')
    their_block, our_block = theirs.layer1[1], ours.stages[0][1]
    for norm in (their_block.bn3, our_block.branch[-1].norm):
        nn.init.zeros_(norm.weight)
        nn.init.zeros_(norm.bias)
    x = (torch.rand(STEPS, 2, 256, 4, 4) < 0.4).double()
    assert torch.equal(our_block(x.flatten(0, 1)).view_as(x), x)
    assert not their_block(x).any()
