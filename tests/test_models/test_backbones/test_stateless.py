"""Nothing is carried from one call to the next; parameters are ordinary ones."""

import io
import pickle

import pytest
import torch
from mmengine.model import ExponentialMovingAverage
from torch import nn
from torch.nn.utils import parameters_to_vector, prune, vector_to_parameters
from torch.utils.checkpoint import checkpoint

from mmsnn.deploy import fold_norms, to_channels_last
from mmsnn.models import SpikeDecoder

from ..helpers import calibrate, make_backbone, sum_of

NEURONS = pytest.mark.parametrize('neuron', ['IF', 'LIF', 'PLIF'])


class Network(nn.Module):
    """A backbone and its decoders."""

    def __init__(self, neuron='IF'):
        super().__init__()
        self.backbone = make_backbone('SG-BSG*', 18, neuron={'type': neuron})
        self.neck = SpikeDecoder(
            self.backbone.out_channels, 2, {'type': 'ASD', 'channel_reduction': 4}
        )
        calibrate(self.backbone, torch.randn(4, 3, 64, 64))

    def forward(self, image):
        return self.neck(self.backbone(image))


def equal(levels, others):
    return all(torch.equal(a, b) for a, b in zip(levels, others, strict=True))


@NEURONS
def test_sizes_may_change_between_calls(neuron):
    """And the gradient of a call does not depend on calls in between."""
    network, image = Network(neuron).eval(), torch.randn(2, 3, 64, 64)
    first = network(image)
    kept = [level.detach().clone() for level in first]
    others = [network(torch.randn(3, 3, 33, 47)), network(torch.randn(1, 3, 96, 64))]
    assert [len(levels[0]) for levels in others] == [3, 1]
    again = network(image)
    assert equal(again, kept)
    weight = network.backbone.stem.encode.conv.weight
    late, direct = (
        torch.autograd.grad(sum(level.sum() for level in levels), weight)
        for levels in (first, again)
    )
    assert late[0].any() and torch.equal(*late, *direct)


@NEURONS
def test_pickle_and_torch_save(neuron):
    network, image = Network(neuron).eval(), torch.randn(2, 3, 64, 64)
    file = io.BytesIO()
    torch.save(network, file)
    file.seek(0)
    saved = torch.load(file, weights_only=False)
    for other in (pickle.loads(pickle.dumps(network)), saved):
        assert equal(other(image), network(image))


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
    torch.testing.assert_close(ema.module.state_dict()[name], start + 0.25)
    assert not equal(ema(image), network(image))


@pytest.mark.parametrize('use_reentrant', [False, True])
@NEURONS
def test_activation_checkpointing(neuron, use_reentrant):
    # gradients of narrower projections are in another layout: sums would differ
    backbone = make_backbone('SG-BSG*', 18, neuron={'type': neuron}, base_channels=16)
    image = torch.randn(2, 3, 64, 64)
    weights = [torch.randn_like(level) for level in backbone(image)]

    def run(run_stage):
        x, levels = backbone.stem(image), []
        for stage in backbone.stages:
            x = run_stage(stage, x)
            levels.append(x.unflatten(0, (2, -1)))
        backbone.zero_grad()
        sum_of(levels, weights).backward()
        return [*levels, *(p.grad.clone() for p in backbone.parameters())]

    plain = run(lambda stage, x: stage(x))
    lean = run(lambda stage, x: checkpoint(stage, x, use_reentrant=use_reentrant))
    assert equal(lean, plain)
    assert all(value.any() for value in plain)


def test_autocast_with_a_norm_in_fp32():
    backbone = make_backbone('SG-BSG*', norm_cfg={'type': 'GN', 'num_groups': 4})
    with torch.autocast('cpu', dtype=torch.bfloat16):
        levels = backbone(torch.randn(2, 3, 64, 64))
    assert all(level.unique().tolist() == [0, 1] for level in levels)


@pytest.mark.parametrize('folded', [False, True])
def test_state_dicts_vectors_pruning_and_layouts(folded):
    backbone = make_backbone('SG-BSG').eval()
    if folded:
        backbone = fold_norms(backbone)
    # what safetensors.save_file and in-place views require
    assert all(value.is_contiguous() for value in backbone.state_dict().values())
    vector = parameters_to_vector(backbone.parameters())
    vector_to_parameters(vector + 1, backbone.parameters())
    assert torch.equal(parameters_to_vector(backbone.parameters()), vector + 1)
    vector_to_parameters(vector, backbone.parameters())
    convs = [m for m in backbone.modules() if isinstance(m, nn.Conv2d)]
    prune.l1_unstructured(convs[0], 'weight', 0.5)
    assert (convs[0].weight == 0).float().mean() == pytest.approx(0.5, abs=0.01)
    prune.remove(convs[0], 'weight')

    image = torch.randn(1, 3, 32, 32)
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    expected = backbone(image)
    assert to_channels_last(backbone) is backbone
    for name, value in backbone.state_dict().items():
        assert torch.equal(value, before[name])
    assert all(conv.weight.is_leaf for conv in convs)
    torch.testing.assert_close(backbone(image), expected)
    # loading keeps the layout, folding too
    backbone.load_state_dict(before)
    for network in (backbone, fold_norms(backbone)):
        for module in network.modules():
            if type(module) is nn.Conv2d:
                assert module.weight.is_contiguous(memory_format=torch.channels_last)


def test_lbfgs():
    backbone = make_backbone('SG-BSG')
    optimizer = torch.optim.LBFGS(backbone.parameters(), max_iter=1)
    image = torch.randn(2, 3, 32, 32)
    before = parameters_to_vector(backbone.parameters())

    def closure():
        optimizer.zero_grad()
        loss = sum(level.square().mean() for level in backbone(image))
        loss.backward()
        return loss

    optimizer.step(closure)
    assert not torch.equal(parameters_to_vector(backbone.parameters()), before)
