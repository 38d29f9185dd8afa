"""Norms of gradients by block, against autograd and by hand."""

import gc
import math
import weakref

import pytest
import torch
from torch import Tensor, nn

from mmsnn.analysis.gradients.gradient_flow import (
    BlockGradient,
    GradientFlow,
    Gradients,
    norm_ratio,
    watch_passed,
)
from mmsnn.models import DenseNetSNN, ResNetSNN, SevenBNet
from mmsnn.models.backbones.resnet import Architecture
from mmsnn.models.residual import BasicBlock

THREE = Architecture(BasicBlock, (3, 2), (1, 2))
IMAGE = (2, 3, 8, 8)


def make(family: str = 'SEW-ADD', **options) -> ResNetSNN:
    settings = dict(num_steps=2, base_channels=4, stem='cifar', out_indices=(1,))
    network = ResNetSNN(THREE, family, strides=(1, 2), **{**settings, **options})
    network.init_weights()
    return network.train()


def run(network: nn.Module, image: Tensor | None = None) -> Tensor:
    features = network(torch.randn(IMAGE) if image is None else image)[-1]
    return features.float().pow(2).sum()


def by_autograd(network: ResNetSNN, image: Tensor) -> list[float]:
    """Return the norms behind the blocks, without any hook."""
    x, passed = network.stem(image), []
    for stage in network.stages:
        for i, block in enumerate(stage):
            out = block(x)
            x = x + out if network.family.densely_additive and i else out
            passed.append(x)
    features = network.closings['1'](x).unflatten(0, (2, -1))
    gradients = torch.autograd.grad(features.pow(2).sum(), passed)
    return [g.double().norm().item() for g in gradients]


@pytest.mark.parametrize('family', ['plain', 'Spiking', 'SG-BSG', 'DANet-A', 'DANet-C'])
def test_norms_are_those_of_autograd(family):
    network = make(family)
    image = torch.randn(IMAGE)
    expected = by_autograd(network, image)
    with GradientFlow(network) as flow:
        run(network, image).backward()
    blocks = flow.result().blocks
    assert [b.norm for b in blocks] == pytest.approx(expected, rel=1e-5)
    assert all(norm > 0 for norm in expected)
    names = [f'stages.0.{i}' for i in range(3)] + ['stages.1.0', 'stages.1.1']
    assert [b.name for b in blocks] == names
    assert [b.stage for b in blocks] == ['stages.0'] * 3 + ['stages.1'] * 2
    assert [b.shape for b in blocks] == [(4, 8, 8)] * 3 + [(8, 4, 4)] * 2
    assert {b.passes for b in blocks} == {1}


def test_identity_blocks_have_a_gain_of_one():
    network = make(zero_init_residual=True)
    with GradientFlow(network) as flow:
        run(network).backward()
    assert flow.result().gain == 1


def test_weights():
    network = make('DANet-A')
    with GradientFlow(network, weights=True) as flow:
        run(network).backward()
    layers = {layer.name: layer for layer in flow.result().layers}
    own = {
        name: [p.grad.double().norm().item() for p in m.parameters(recurse=False)]
        for name, m in network.named_modules()
    }
    assert layers.keys() == {name for name, norms in own.items() if norms}
    for name, layer in layers.items():
        assert layer.norm == pytest.approx(math.hypot(*own[name]), rel=1e-6)
    with GradientFlow(network) as flow:
        run(network).backward()
    assert flow.result().layers == ()


def test_passes_add_up_to_a_root_mean_square():
    network = make()
    image = torch.randn(IMAGE)
    norms = []
    for factor in (1, 3):
        with GradientFlow(network) as single:
            (factor * run(network, image)).backward()
        norms.append(single.result().blocks[0].norm)
    both = GradientFlow(network)
    for factor in (1, 3):
        with both:
            (factor * run(network, image)).backward()
    block = both.result().blocks[0]
    assert block.passes == 2
    assert block.norm == pytest.approx(math.sqrt((norms[0] ** 2 + norms[1] ** 2) / 2))
    assert norms[1] == pytest.approx(3 * norms[0])


def test_no_graph_is_held():
    network = make()
    with GradientFlow(network) as flow:
        seen: list[weakref.ref] = []
        handles = list(watch_passed(network, lambda _, v: seen.append(weakref.ref(v))))
        loss = run(network)
        loss.backward()
        for handle in handles:
            handle.remove()
        del loss
        gc.collect()
        assert len(seen) == 5 and all(ref() is None for ref in seen)
    assert flow.result().blocks[0].norm > 0


def test_frozen_blocks_have_no_gradient():
    network = make(frozen_stages=1)
    with GradientFlow(network, weights=True) as flow:
        run(network).backward()
    result = flow.result()
    first, last = result.blocks[0], result.blocks[-1]
    assert (first.norm, first.passes) == (None, 0)
    assert last.norm > 0
    assert result.gain is None
    assert all(layer.name.startswith('stages.1') for layer in result.layers)


def test_networks_without_pairs_or_blocks():
    seven = SevenBNet(num_steps=2, out_indices=(1,)).train()
    with GradientFlow(seven) as flow:
        run(seven, torch.randn(2, 2, 2, 8, 8)).backward()
    assert [b.name for b in flow.result().blocks] == [
        'stages.0.block',
        'stages.1.block',
    ]
    assert flow.result().gain is None
    dense = DenseNetSNN(121, num_steps=1, out_indices=(0,)).train()
    with GradientFlow(dense) as flow:
        run(dense, torch.randn(1, 3, 32, 32)).backward()
    assert [b.name for b in flow.result().blocks] == ['stages.0']


def test_ratios_and_gain():
    assert norm_ratio([8.0, 1.0, 2.0]) == 4
    assert norm_ratio([0.0, 0.0]) == 0
    assert norm_ratio([1.0, 0.0]) == norm_ratio([math.inf, 1.0]) == math.inf
    assert norm_ratio([math.nan, 1.0]) == math.inf
    shapes = [('s0', 4), ('s0', 4), ('s1', 4), ('s1', 2), ('s1', 2)]
    norms = [6.0, 2.0, 9.0, 5.0, 10.0]
    blocks = [
        BlockGradient(f'{stage}.{i}', stage, (side,), norm, 1)
        for i, ((stage, side), norm) in enumerate(zip(shapes, norms, strict=True))
    ]
    assert Gradients(tuple(blocks), ()).gain == 3 * 0.5


def test_a_backward_pass_after_the_exit_does_not_count():
    network = make('DANet-C')
    with GradientFlow(network, weights=True) as flow:
        loss = run(network)
        loss.backward(retain_graph=True)
    before = flow.result()
    loss.backward()
    assert flow.result() == before
