"""Graphs of NIR spike as the networks they are made from, in SpikingJelly."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from test_models.helpers import calibrate
from torch import nn

from mmsnn.deploy import fold_norms, freeze_time_constants
from mmsnn.deploy.export.nir_graph import (
    ClassScores,
    check_nir,
    export_nir,
    nir_networks,
)
from mmsnn.deploy.export.nir_operators import _dense
from mmsnn.models import FAMILIES, DenseNetSNN, ResNetSNN, SevenBNet
from mmsnn.models.decoders import SpikeDecoder
from mmsnn.models.neurons import build_neuron
from mmsnn.utils.errors import UserError

nir = pytest.importorskip('nir')
pytest.importorskip('nirtorch')
from mmsnn.deploy.export.nir_simulation import compare_nir, simulate_nir  # noqa: E402

GATED = {'SEW-AND', 'SEW-IAND', 'SG-BSG', 'SG-BSG*'}
POOLED = {'EMS', 'EMS-Block1'}
FEW = {'Spiking', 'SEW-ADD', 'PA-A', 'DANet-C', 'EMS', 'SG-BSG', 'SG-BSG*'}
"""One of each way to be wired, and of each reason not to be exported."""
LIF = dict(type='LIF', tau=3.0, v_reset=-0.25, v_threshold=0.5)


def resnet(family='SEW-ADD', depth=10, stem='cifar', **options):
    """A ResNet of fp64 that fires, in evaluation mode."""
    options = dict(num_steps=3, out_indices=(1, 3)) | options
    net = ResNetSNN(depth, family, base_channels=4, stem=stem, **options)
    net.init_weights()
    return lively(net, torch.rand(2, 3, 32, 32))


def lively(net, images):
    """Give norms statistics of images, and biases that let neurons fire."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.bias, 0.0, 1.0)
    return calibrate(net, images).double().eval()


def check_equal(net, images):
    graph = export_nir(net, images)
    with torch.no_grad():
        expected = fold_norms(net)(images)
    found = simulate_nir(graph, images)
    assert len(found) == len(expected)
    for one, other in zip(expected, found, strict=True):
        assert one.any()
        assert torch.equal(one, other)
    return graph


def digits():
    """Handwritten digits as 32x32 images of three channels."""
    sklearn = pytest.importorskip('sklearn.datasets')
    images = torch.from_numpy(sklearn.load_digits().images[:3] / 16)
    return F.interpolate(images[:, None], (32, 32)).expand(-1, 3, -1, -1)


@pytest.mark.parametrize(
    ('family', 'stem'),
    [
        pytest.param(family, stem, marks=() if family in FEW else pytest.mark.slow)
        for stem, families in (
            ('cifar', FAMILIES),
            ('imagenet', ('tdBN', 'SEW-ADD', 'PA-A', 'DANet-D')),
        )
        for family in families
    ],
)
def test_families(family, stem) -> None:
    net = resnet(family, 10, stem, neuron=LIF, num_steps=2)
    images = torch.rand(2, 3, 32, 32, dtype=torch.float64)
    analog = FAMILIES[family].values == 'analog'
    if family in GATED:
        named = 'stages.0.0.merge: '
    elif analog and stem == 'imagenet':
        named = 'stem.pool: '
    elif family in POOLED:
        named = 'stages.1.0.pool: '
    else:
        graph = check_equal(net, images)
        assert {type(node) for node in graph.nodes.values()} >= {nir.Conv2d, nir.LIF}
        return
    with pytest.raises(UserError, match=named.replace('.', r'\.')):
        export_nir(net, images)
    assert check_nir(net, images)[0].startswith(named)


@pytest.mark.parametrize(
    'neuron',
    [
        dict(type='IF'),
        dict(type='IF', v_reset=-0.5, v_threshold=0.7),
        dict(type='LIF', tau=1.5),
        dict(type='LIF', tau=4.0, v_reset=0.2, decay_input=False),
    ],
)
def test_neurons_on_real_images(neuron) -> None:
    check_equal(resnet(neuron=neuron), digits())


@pytest.mark.parametrize('v_reset', [0.0, -0.5])
@pytest.mark.parametrize('tau', [None, 1.0, 2.5])
@pytest.mark.parametrize('decay_input', [True, False])
def test_neurons_are_euler_steps_of_nir_s_equations(tau, decay_input, v_reset) -> None:
    """By the equations of NIR, without SpikingJelly."""
    cfg = dict(type='IF', v_reset=v_reset)
    if tau is not None:
        cfg = dict(type='LIF', v_reset=v_reset, tau=tau, decay_input=decay_input)
    neurons = build_neuron(cfg, 8)
    x = 2 * torch.rand(8, 1, 2, 3, 3, dtype=torch.float64)

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.neuron = neurons

        def forward(self, frames):
            return self.neuron(frames.transpose(0, 1).flatten(0, 1))

    graph = export_nir(Network(), x.transpose(0, 1))
    node, dt = graph.nodes['neuron'], graph.metadata['dt']
    assert node.r.shape == (2, 3, 3)
    v, spikes = node.v_reset, []
    for current in x[:, 0].numpy():
        if tau is None:
            h = v + dt * node.r * current
        else:
            h = v + dt / node.tau * ((node.v_leak - v) + node.r * current)
        fired = h > node.v_threshold
        v = np.where(fired, node.v_reset, h)
        spikes.append(fired)
    expected = neurons(x.flatten(0, 1)).numpy()
    assert 0 < expected.mean() < 1
    assert np.array_equal(np.stack(spikes), expected)


@pytest.mark.parametrize('num_steps', [pytest.param(1, marks=pytest.mark.slow), 2])
def test_frames_pools_and_frozen_time_constants(num_steps) -> None:
    net = SevenBNet(family='plain', in_channels=2, num_steps=num_steps)
    frames = torch.rand(2, num_steps, 2, 128, 128)
    net = lively(net, frames)
    with pytest.raises(UserError, match='stem.*freeze_time_constants'):
        export_nir(net, frames.double())
    frozen = freeze_time_constants(net)
    with torch.no_grad():
        (before,), (after,) = net(frames.double()), frozen(frames.double())
    assert before.any()
    assert torch.equal(before, after)
    check_equal(frozen, frames.double())


def test_only_learned_time_constants_are_frozen() -> None:
    plif = build_neuron(
        dict(type='PLIF', init_tau=3.0, v_reset=None, decay_input=False), 2
    )
    nn.init.constant_(plif.w, 0.3)
    lif = freeze_time_constants(nn.Sequential(plif))[0]
    assert lif.tau == pytest.approx(1 + math.exp(-0.3))
    assert not [*lif.parameters()]
    assert lif.dynamics == plif.dynamics
    x = torch.randn(20, 5)
    assert torch.equal(lif(x), plif(x))
    fixed = build_neuron(LIF, 2)
    assert freeze_time_constants(fixed).dynamics == fixed.dynamics


class Classifier(nn.Module):
    def __init__(self, head):
        super().__init__()
        self.backbone = resnet(out_indices=(3,))
        self.neck = nn.Sequential(
            SpikeDecoder([32], 3), _First(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        ).double()
        self.head = head.double()

    def extract_feat(self, images):
        return self.neck(self.backbone(images))


class _First(nn.Module):
    def forward(self, levels):
        return levels[0]


@pytest.mark.parametrize('bias', [True, False])
def test_classifier(bias, tmp_path) -> None:
    scores, backbone = nir_networks(Classifier(nn.Linear(32, 5, bias)).eval())
    assert isinstance(scores, ClassScores)
    assert isinstance(backbone, ResNetSNN)
    images = digits()
    graph = export_nir(scores, images)
    nir.write(tmp_path / 'net.nir', graph)
    graph = nir.read(tmp_path / 'net.nir')
    assert graph.metadata == dict(num_steps=3, dt=1e-4, average_outputs=1)
    assert type(graph.nodes['head']) is (nir.Affine if bias else nir.Linear)
    (found,) = compare_nir(scores, graph, images)
    assert found.values == 15
    assert found.mean
    assert found.error < 1e-12
    assert not found.differing
    wrong = export_nir(scores, images)
    wrong.nodes['head'].weight += 1
    (found,) = compare_nir(scores, wrong, images)
    assert found.differing


def test_neurons_after_the_decoder_are_refused() -> None:
    head = nn.Sequential(nn.Linear(32, 5), build_neuron(dict(type='IF'), 3))
    scores, backbone = nir_networks(Classifier(head).eval())
    assert check_nir(scores, digits()) == ['head.1: it takes a mean over time']
    assert not check_nir(backbone, digits())


@pytest.mark.parametrize(
    ('options', 'layer', 'reason'),
    [
        (dict(neuron=dict(type='IF', v_reset=None)), 'stem.neuron', 'soft reset'),
        (dict(neuron=dict(type='ILIF')), 'stem.neuron', 'integer'),
        (dict(neuron=dict(type='PLIF')), 'stem.neuron', 'freeze_time_constants'),
        (dict(stem='gac-cifar'), 'stem', ''),
    ],
)
def test_what_nir_cannot_express_is_named(options, layer, reason) -> None:
    options = dict(num_steps=2, stem='cifar') | options
    net = ResNetSNN(10, 'SEW-ADD', base_channels=4, **options).eval()
    with pytest.raises(UserError, match=rf'{layer}[.\w]*: .*{reason}'):
        export_nir(net, torch.rand(1, 3, 32, 32))


def test_concatenation_and_unknown_networks_are_named() -> None:
    dense = DenseNetSNN(121, growth_rate=2, out_indices=(0,)).eval()
    images = torch.rand(1, 3, 64, 64)
    assert 'concatenate' in check_nir(dense, images)[0]
    assert check_nir(nn.Conv2d(3, 3, 3), images) == ['Conv2d: it has no neurons']


class Pool(nn.Module):
    def __init__(self, pool):
        super().__init__()
        self.neuron = build_neuron(dict(type='IF', v_threshold=0.9), 4)
        self.pool = pool

    def forward(self, frames):
        return self.pool(self.neuron(frames.transpose(0, 1).flatten(0, 1)))


@pytest.mark.parametrize(
    'pool',
    [
        nn.MaxPool2d(3, 2, 1),
        nn.MaxPool2d(2, ceil_mode=True),
        nn.AvgPool2d(2),
        nn.AvgPool2d(3, 1, 1),
        nn.AdaptiveAvgPool2d((2, 4)),
    ],
)
def test_pools(pool) -> None:
    net = Pool(pool)
    frames = torch.rand(2, 4, 3, 8, 8, dtype=torch.float64)
    (found,) = simulate_nir(export_nir(net, frames), frames)
    torch.testing.assert_close(found.flatten(0, 1), net(frames))
    assert len(found.unique()) > 1


@pytest.mark.parametrize(
    'pool',
    [
        nn.MaxPool2d(2, ceil_mode=True),
        nn.AvgPool2d(2, ceil_mode=True),
        nn.AvgPool2d(3, 1, 1, count_include_pad=False),
        nn.AdaptiveAvgPool2d(2),
        nn.MaxPool2d(2, dilation=2),
        nn.Upsample(scale_factor=2),
        nn.ReLU(),
    ],
)
def test_pools_that_nir_has_not(pool) -> None:
    (reason,) = check_nir(Pool(pool), torch.rand(1, 4, 3, 9, 9))
    assert reason.startswith('pool')


def test_grouped_convolutions_as_dense_ones() -> None:
    conv = nn.Conv2d(6, 9, 3, groups=3, bias=False)
    x = torch.rand(2, 6, 5, 5)
    torch.testing.assert_close(F.conv2d(x, _dense(conv.weight, 3)), conv(x))
