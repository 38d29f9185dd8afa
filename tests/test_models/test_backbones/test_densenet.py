"""The spiking DenseNet: what travels, and equality with formulas and torchvision's."""

from functools import partial

import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import nn

from mmsnn.models import DenseNetSNN
from mmsnn.models.backbones.densenet import DenseLayer, Transition

from ..helpers import calibrate, count_parameters

ORDERS = ('CNS', 'NSC')
LEVELS = (0, 1, 2, 3)
LAYERS = {121: (6, 12, 24, 16), 161: (6, 12, 36, 24), 201: (6, 12, 48, 32)}
# torchvision's features, ours with the order CNS, and the classifier of 1000 classes
SIZES = {
    121: (6_953_856, 6_890_688, 1_025_000),
    161: (26_472_000, 26_292_960, 2_209_000),
    201: (18_092_928, 17_897_920, 1_921_000),
}


def make_densenet(order='CNS', depth=121, **options):
    narrow = {'num_steps': 2, 'growth_rate': 4, 'out_indices': LEVELS}
    backbone = DenseNetSNN(depth, order, **{**narrow, **options})
    backbone.init_weights()
    return backbone


def is_binary(x):
    return set(x.unique().tolist()) <= {0.0, 1.0}


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('neuron', ['IF', 'LIF'])
@pytest.mark.parametrize('order', ORDERS)
def test_what_travels(order, neuron, training):
    backbone = make_densenet(order, neuron={'type': neuron})
    image = torch.randn(2, 3, 64, 64)
    calibrate(backbone, image).train(training)
    travels, inputs = [], []
    for module in backbone.modules():
        if isinstance(module, DenseLayer | Transition):
            module.register_forward_hook(lambda *args: travels.append(args[2]))
        elif isinstance(module, nn.Conv2d):
            module.register_forward_pre_hook(lambda _, args: inputs.append(args[0]))
    levels = backbone(image)
    assert len(travels) == 6 + 12 + 24 + 16 + 3
    assert backbone.values == ('binary' if order == 'CNS' else 'analog')
    assert {is_binary(x) for x in travels} == {order == 'CNS'}
    assert backbone.out_values == 'binary'
    assert all(is_binary(x) and x.any() for x in levels)
    assert all(x.any() for x in travels)
    # convolutions after the stem's see spikes
    assert not is_binary(inputs[0])
    assert len(inputs) == 1 + 2 * (6 + 12 + 24 + 16) + 3
    assert all(is_binary(x) for x in inputs[1:])


def test_stem_and_frames():
    backbone = make_densenet(in_channels=2, stem='cifar', num_steps=3)
    levels = backbone(torch.rand(2, 3, 2, 16, 16))
    assert [level.shape[-1] for level in levels] == [16, 8, 4, 2]


@pytest.mark.parametrize(('depth', 'width'), [(121, 1024), (161, 2208), (201, 1920)])
def test_sizes(depth, width):
    features, ours, classifier = SIZES[depth]
    with torch.device('meta'):
        ann = getattr(torchvision.models, f'densenet{depth}')()
        nsc, cns = DenseNetSNN(depth, 'NSC'), DenseNetSNN(depth, 'CNS')
        head = nn.Linear(cns.out_channels[-1], 1000)
    assert cns.out_channels == (width,)
    assert count_parameters(ann.features) == features
    assert count_parameters(ann.classifier) == count_parameters(head) == classifier
    assert count_parameters(nsc) == features
    # norms are after the convolutions, over fewer channels
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


@pytest.mark.parametrize('depth', LAYERS)
@pytest.mark.parametrize('order', ORDERS)
def test_equals_the_unrolled_formulas(order, depth):
    backbone = make_densenet(order, depth, num_steps=3).double()
    for module in backbone.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.8, 1.5)
            nn.init.uniform_(module.bias, -0.2, 0.4)
    image = torch.randn(2, 3, 64, 64, dtype=torch.double)
    with torch.no_grad():
        expected = unrolled(image, backbone.parameters(), order, LAYERS[depth], 3)
        levels = backbone(image)
    for level, reference in zip(levels, expected, strict=True):
        assert 0.02 < level.mean() < 0.98
        assert torch.equal(level, reference)


@pytest.mark.parametrize('depth', [121, 161])
def test_with_relus_it_is_torchvisions(depth):
    ann = torchvision.models.DenseNet(4, LAYERS[depth], num_init_features=8).features
    ann.relu0 = nn.Identity()  # the stem of NSC is analog
    snn = make_densenet(
        'NSC', depth, num_steps=1, out_indices=(3,), neuron={'type': 'mmsnn.ReLU'}
    )
    snn.load_state_dict(
        dict(zip(snn.state_dict(), ann.state_dict().values(), strict=True))
    )
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
