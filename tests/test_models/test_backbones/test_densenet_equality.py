"""The spiking DenseNet equals its formulas and torchvision's, in sizes and values."""

from functools import partial

import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import nn

from mmsnn.models import DenseNetSNN

from ..helpers import calibrate, count_parameters
from .test_densenet import ORDERS, make_densenet

# torchvision's features, ours with the order CNS, and the classifier of 1000 classes
SIZES = {
    121: (6_953_856, 6_890_688, 1_025_000),
    161: (26_472_000, 26_292_960, 2_209_000),
    201: (18_092_928, 17_897_920, 1_921_000),
}


@pytest.mark.parametrize('depth', SIZES)
def test_sizes(depth):
    features, ours, classifier = SIZES[depth]
    with torch.device('meta'):
        ann = getattr(torchvision.models, f'densenet{depth}')()
        nsc, cns = DenseNetSNN(depth, 'NSC'), DenseNetSNN(depth, 'CNS')
        head = nn.Linear(cns.out_channels[-1], 1000)
    assert count_parameters(ann.features) == features
    assert count_parameters(ann.classifier) == count_parameters(head) == classifier
    assert count_parameters(nsc) == features
    # norms are behind the convolutions, over fewer channels
    assert count_parameters(cns) == ours
    assert ours + classifier == pytest.approx(features + classifier, rel=0.01)


def run_spiking_neurons(x, num_steps):
    """IF neurons of threshold 1 and hard reset to 0, step by step."""
    v, spikes = 0, []
    for current in x.chunk(num_steps):
        h = v + current
        spikes.append((h >= 1).to(x.dtype))
        v = h * (1 - spikes[-1])
    return torch.cat(spikes)


def unrolled(image, weights, order, num_layers, num_steps):
    """The network by formulas, norms with the batch's own statistics."""
    neuron = partial(run_spiking_neurons, num_steps=num_steps)
    take = partial(next, iter(weights))

    def conv(x, **options):
        return F.conv2d(x, take(), **options)

    def norm(x):
        return F.batch_norm(x, None, None, take(), take(), training=True)

    def unit(x, **options):
        if order == 'CNS':
            return neuron(norm(conv(x, **options)))
        return conv(neuron(norm(x)), **options)

    x = norm(conv(image, stride=2, padding=3)).repeat(num_steps, 1, 1, 1)
    x = F.max_pool2d(neuron(x) if order == 'CNS' else x, 3, stride=2, padding=1)
    blocks = []
    for i, layers in enumerate(num_layers):
        if i > 0 and order == 'CNS':
            x = neuron(F.avg_pool2d(norm(conv(x)), 2))
        elif i > 0:
            x = F.avg_pool2d(conv(neuron(norm(x))), 2)
        for _ in range(layers):
            x = torch.cat([x, unit(unit(x), padding=1)], dim=1)
        blocks.append(x)
    if order == 'NSC':
        blocks = [neuron(norm(x)) for x in blocks]
    return [x.unflatten(0, (num_steps, -1)) for x in blocks]


@pytest.mark.parametrize(
    ('depth', 'num_layers'),
    [(121, (6, 12, 24, 16)), (161, (6, 12, 36, 24)), (201, (6, 12, 48, 32))],
)
@pytest.mark.parametrize('order', ORDERS)
def test_equals_the_unrolled_formulas(order, depth, num_layers):
    backbone = make_densenet(order, depth, num_steps=3).double()
    for module in backbone.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.8, 1.5)
            nn.init.uniform_(module.bias, -0.2, 0.4)
    image = torch.randn(2, 3, 64, 64, dtype=torch.double)
    with torch.no_grad():
        expected = unrolled(image, backbone.parameters(), order, num_layers, 3)
        levels = backbone(image)
    assert len(levels) == 4
    for level, reference in zip(levels, expected, strict=True):
        assert 0.02 < level.mean() < 0.98
        assert torch.equal(level, reference)


class ReLU(nn.ReLU):
    def __init__(self, num_steps):
        super().__init__()


@pytest.mark.parametrize(
    ('depth', 'blocks'), [(121, (6, 12, 24, 16)), (161, (6, 12, 36, 24))]
)
def test_with_relus_it_is_torchvisions(depth, blocks):
    ann = torchvision.models.DenseNet(4, blocks, num_init_features=8).features
    ann.relu0 = nn.Identity()  # the stem of NSC is analog
    snn = make_densenet(
        'NSC', depth, num_steps=1, out_indices=(3,), neuron={'type': ReLU}
    )
    state = dict(zip(snn.state_dict(), ann.state_dict().values(), strict=True))
    snn.load_state_dict(state)
    snn.double()
    ann.double()
    image = torch.randn(2, 3, 70, 90, dtype=torch.double)  # odd sizes on the way
    calibrate(snn, image).eval()
    ann.load_state_dict(
        dict(zip(ann.state_dict(), snn.state_dict().values(), strict=True))
    )
    with torch.no_grad():
        (level,), expected = snn(image), F.relu(ann.eval()(image))
    assert expected.std() > 0.1
    torch.testing.assert_close(level[0], expected, rtol=0, atol=1e-10)


def test_a_transition_averages_currents_not_spikes():
    backbone = make_densenet('CNS', neuron={'type': ReLU}, num_steps=1)
    transition = backbone.stages[1][0].eval()
    x = torch.randn(2, 32, 8, 8)
    currents = F.conv2d(x, transition[0].conv.weight) / (1 + 1e-5) ** 0.5
    y = transition(x)
    torch.testing.assert_close(y, F.avg_pool2d(currents, 2).relu())
    assert not torch.allclose(y, F.avg_pool2d(currents.relu(), 2))
