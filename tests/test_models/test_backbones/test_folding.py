"""Norms folded into convolutions, in every family and stem."""

import pytest
import torch
from torch import nn

from mmsnn.deploy import FoldedNorm, fold_norms
from mmsnn.models import FAMILIES, DenseNetSNN
from mmsnn.models.neurons import BaseNeuron

from ..helpers import FAMILY_ENTRIES, calibrate
from .networks import make_active


@torch.no_grad()
def run(backbone, image):
    """Return what enters the neurons, their spikes, and the levels."""
    currents, spikes = [], []

    def keep(_, args, output):
        currents.append(args[0])
        spikes.append(output)

    neurons = [m for m in backbone.modules() if isinstance(m, BaseNeuron)]
    handles = [neuron.register_forward_hook(keep) for neuron in neurons]
    levels = backbone(image)
    for handle in handles:
        handle.remove()
    return currents, spikes, levels


def count(backbone, kind):
    return sum(isinstance(module, kind) for module in backbone.modules())


def spread(backbone):
    """Give the norms weights and biases that differ from channel to channel."""
    for module in backbone.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.2, 0.6)


def check(backbone, image):
    """Check that folding changes no spike; return how many norms stay."""
    spread(backbone)
    backbone.double().eval()
    folded = fold_norms(backbone)
    norms = count(backbone, nn.BatchNorm2d)
    left = count(folded, nn.BatchNorm2d)
    assert count(folded, FoldedNorm) == norms - left > 0
    # in double precision rounding meets no threshold
    given, got = run(backbone, image.double()), run(folded, image.double())
    assert given[1] and all(spikes.any() for spikes in given[1])
    for before, after in zip(given[0], got[0], strict=True):
        torch.testing.assert_close(after, before, rtol=1e-9, atol=1e-9)
    for before, after in zip(given[1], got[1], strict=True):
        assert torch.equal(after, before)
    for before, after in zip(given[2], got[2], strict=True):
        torch.testing.assert_close(after, before, rtol=1e-9, atol=1e-9)
    return left


def norms_that_stay(family, depth):
    """Return how many norms of a ResNet follow a sum, by the family's wiring."""
    wiring = FAMILIES[family]
    blocks = {10: 4, 50: 16}[depth]
    # a stem's stride and a bottleneck's expansion decide which blocks project
    projections = {10: 3, 50: 4}[depth]
    stays = 0
    if wiring.unit.startswith('N'):
        stays += blocks  # the later units' norms follow the convolution before them
    if wiring.identity == 'N':
        stays += blocks - projections
    if wiring.post.startswith('N'):
        stays += blocks
    if wiring.closing.startswith('N'):
        stays += 4
    return stays


@pytest.mark.parametrize(
    ('family', 'depth'),
    [*((family, 10) for family in FAMILY_ENTRIES), ('PA-B', 50), ('tdBN', 50)],
)
def test_families(family, depth):
    left = check(make_active(family, depth), torch.randn(2, 3, 64, 64))
    assert left == norms_that_stay(family, depth)


@pytest.mark.parametrize(('order', 'left'), [('CNS', 0), ('NSC', 21)])
def test_densenet(order, left):
    # of the ANN's order the norms before 1x1 convolutions follow a concatenation: 6 +
    # 12 in layers, 1 in the transition, 2 that close
    backbone = DenseNetSNN(121, order, num_steps=2, growth_rate=4, out_indices=(0, 1))
    backbone.init_weights()
    calibrate(backbone, torch.randn(4, 3, 64, 64))
    assert check(backbone, torch.randn(2, 3, 64, 64)) == left
