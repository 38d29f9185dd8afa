"""Nothing is carried from one call to the next, and what follows from that."""

import io
import pickle

import pytest
import torch
from mmengine.model import ExponentialMovingAverage
from torch import nn
from torch.utils.checkpoint import checkpoint

from mmsnn.models import SpikeDecoder

from ..helpers import calibrate, make_backbone, sum_of

NEURONS = [{'type': 'IF'}, {'type': 'LIF'}, {'type': 'PLIF'}]


class Network(nn.Module):
    """A backbone and its decoders."""

    def __init__(self, neuron=NEURONS[0], **options):
        super().__init__()
        self.backbone = make_backbone('SG-BSG*', 18, neuron=neuron, **options)
        self.neck = SpikeDecoder(
            self.backbone.out_channels, 2, {'type': 'ASD', 'channel_reduction': 4}
        )
        calibrate(self.backbone, torch.randn(4, 3, 64, 64))

    def forward(self, image):
        return self.neck(self.backbone(image))


@pytest.fixture(params=NEURONS, ids=lambda neuron: neuron['type'])
def network(request):
    return Network(request.param).eval()


def equal(levels, others):
    return all(torch.equal(a, b) for a, b in zip(levels, others, strict=True))


def test_sizes_may_change_between_calls(network):
    image = torch.randn(2, 3, 64, 64)
    first = network(image)
    kept = [level.detach().clone() for level in first]
    others = [network(torch.randn(3, 3, 33, 47)), network(torch.randn(1, 3, 96, 64))]
    assert [len(levels[0]) for levels in others] == [3, 1]
    assert equal(network(image), kept)
    # the backward pass of a call does not care what was called in between
    sum(level.sum() for level in first).backward()
    late = network.backbone.stem.encode.conv.weight.grad.clone()
    network.zero_grad()
    sum(level.sum() for level in network(image)).backward()
    assert torch.equal(late, network.backbone.stem.encode.conv.weight.grad)


def test_pickle_and_torch_save(network):
    image = torch.randn(2, 3, 64, 64)
    expected = network(image)
    assert equal(pickle.loads(pickle.dumps(network))(image), expected)
    file = io.BytesIO()
    torch.save(network, file)
    file.seek(0)
    assert equal(torch.load(file, weights_only=False)(image), expected)


def test_ema():
    network = Network()
    ema = ExponentialMovingAverage(network, momentum=0.25)
    image = torch.randn(2, 3, 64, 64)
    network.eval()
    ema.eval()
    assert equal(ema(image), network(image))
    name = 'backbone.stem.encode.conv.weight'
    start = network.state_dict()[name].clone()
    ema.update_parameters(network)  # the first copies
    with torch.no_grad():
        network.get_parameter(name).add_(1.0)
    ema.update_parameters(network)
    averaged = ema.module.state_dict()[name]
    torch.testing.assert_close(averaged, start + 0.25)
    assert not equal(ema(image), network(image))


@pytest.mark.parametrize('use_reentrant', [False, True])
@pytest.mark.parametrize('neuron', NEURONS, ids=lambda neuron: neuron['type'])
def test_activation_checkpointing(neuron, use_reentrant):
    backbone = make_backbone('SG-BSG*', 18, neuron=neuron)
    image = torch.randn(2, 3, 64, 64)
    weights = [torch.randn_like(level) for level in backbone(image)]

    def gradients(run_stage):
        backbone.zero_grad()
        x = backbone.stem(image)
        levels = []
        for stage in backbone.stages:
            x = run_stage(stage, x)
            levels.append(x.unflatten(0, (2, -1)))
        sum_of(levels, weights).backward()
        return levels, [p.grad.clone() for p in backbone.parameters()]

    plain, expected = gradients(lambda stage, x: stage(x))
    levels, actual = gradients(
        lambda stage, x: checkpoint(stage, x, use_reentrant=use_reentrant)
    )
    assert equal(levels, plain)
    for grad, expected_grad in zip(actual, expected, strict=True):
        assert grad.any()
        assert torch.equal(grad, expected_grad)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
@pytest.mark.parametrize(
    'family',
    ['SG-BSG', 'SG-BSG*', 'SEW-ADD', 'SEW-IAND', 'tdBN', 'PA-B', 'MS', 'DANet-D'],
)
def test_autocast(family, dtype):
    backbone = make_backbone(family, 18, neuron={'type': 'LIF'})
    image = torch.randn(2, 3, 64, 64)
    with torch.autocast('cpu', dtype=dtype):
        levels = backbone(image)
    for level in levels:
        assert level.any()
        assert torch.equal(level, level.round())
        if backbone.out_values == 'binary':
            assert level.max() == 1
    sum(level.float().sum() for level in levels).backward()
    grads = [p.grad for p in backbone.parameters()]
    assert all(grad.dtype == torch.float32 and grad.isfinite().all() for grad in grads)


def test_autocast_with_a_norm_in_fp32():
    backbone = make_backbone('SG-BSG*', norm_cfg={'type': 'GN', 'num_groups': 4})
    with torch.autocast('cpu', dtype=torch.bfloat16):
        levels = backbone(torch.randn(2, 3, 64, 64))
    for level in levels:
        assert set(level.unique().tolist()) == {0.0, 1.0}
