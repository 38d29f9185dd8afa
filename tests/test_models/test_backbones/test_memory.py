"""``memory_efficient``: same outputs, gradients and statistics, a fraction held."""

import copy

import pytest
import torch
import torchvision
from torch import nn

from mmsnn.analysis import (
    FiringRates,
    GradientFlow,
    GradientStability,
    OperationCounter,
)
from mmsnn.models.layers import Recomputable

from ..helpers import make_backbone
from .held import check_same, held_bytes, pair

IMAGES = (2, 3, 64, 64)


def mean(levels) -> torch.Tensor:
    return sum(level.mean() for level in levels)


def test_autocast() -> None:
    """The second time in the precision of the first."""
    x, runs = torch.randn(IMAGES), []
    for network in pair(make_backbone, 'SG-BSG', depth=18):
        with torch.autocast('cpu', torch.bfloat16):
            levels = network(x)
        # after the context, as an optimizer's wrapper does it
        sum(
            level.float().mean((0, 1, 3, 4)).square().sum() for level in levels
        ).backward()
        runs.append([*levels, *(p.grad for p in network.parameters())])
    assert all(map(torch.equal, *runs))
    assert runs[1][0].dtype == torch.bfloat16
    assert all(g.any() for g in runs[1][4:7])


def test_without_gradients_nothing_is_held() -> None:
    plain, lean = pair(make_backbone)
    x = torch.randn(IMAGES)
    with torch.no_grad():
        assert all(map(torch.equal, plain(x), lean(x)))
        assert held_bytes(lean, x) == 0


def test_gradients_with_respect_to_the_image() -> None:
    x, gradients = torch.randn(IMAGES, requires_grad=True), []
    for network in pair(make_backbone, 'MS'):
        gradients += torch.autograd.grad(network(x)[-1].square().sum(), x)
    assert gradients[0].any()
    assert torch.equal(*gradients)


def test_held_by_default_and_with_the_option() -> None:
    """The sizes that the guide tells: SG ResNet18, T = 4, N = 4, 128 x 128."""
    options = {'num_steps': 4, 'base_channels': 64, 'out_indices': (3,), 'depth': 18}
    plain, lean = pair(make_backbone, 'SG-BSG', **options)
    ann = torchvision.models.resnet18().to(memory_format=torch.channels_last)
    x = torch.randn(16, 3, 128, 128).contiguous(memory_format=torch.channels_last)
    by_default = held_bytes(plain, x[:4])
    assert by_default <= 1.35 * held_bytes(ann, x)
    assert held_bytes(lean, x[:4]) <= 0.02 * by_default


def test_a_copy_is_independent() -> None:
    plain, lean = pair(make_backbone)
    before = copy.deepcopy(dict(lean.named_buffers()))
    check_same(plain, copy.deepcopy(lean), torch.randn(IMAGES))
    assert all(torch.equal(b, before[n]) for n, b in lean.named_buffers())
    assert all(p.grad is None for p in lean.parameters())


def test_collectors_see_every_layer_once() -> None:
    x, found = torch.randn(IMAGES), []
    for network in pair(make_backbone, 'SG-BSG', depth=18):
        with FiringRates(network) as rates, GradientFlow(network, True) as flow:
            mean(network(x)).backward()
        with GradientStability(network) as stability, OperationCounter(network) as ops:
            mean(network(x)).backward()
        found.append([part.result() for part in (rates, flow, stability, ops)])
    assert repr(found[0]) == repr(found[1])
    assert found[1][1].gain is not None
    assert found[1][1].blocks[0].passes == 1


def test_hooks_of_blocks_are_outside_of_what_is_recomputed() -> None:
    plain, lean = pair(make_backbone, 'DANet-C', depth=18)
    x, norms = torch.randn(IMAGES), []
    for network in (plain, lean):
        with GradientFlow(network) as flow:
            held = held_bytes(network, x)
            mean(network(x)).backward()
        norms.append(flow.result())
    assert norms[0] == norms[1]
    assert held < 0.3 * held_bytes(plain, x)


def test_hooks_inside_switch_it_off() -> None:
    """What a hook adds to the loss has its gradient."""
    x, gradients = torch.randn(IMAGES), []
    for network in pair(make_backbone, 'SG-BSG'):
        rates, unit = [], network.stages[1][0].branch[0]
        with unit.neuron.register_forward_hook(lambda *a, r=rates: r.append(a[2])):
            network(x)
        assert len(rates) == 1
        rates[0].square().mean().backward()
        gradients.append([p.grad for p in unit.parameters()])
        assert len(rates) == 1
    assert gradients[0][0].any()
    assert all(map(torch.equal, *gradients))


def test_what_is_recomputed() -> None:
    """Stem, blocks and closing layers; nothing by default, and if compiled."""
    plain, lean = pair(make_backbone, 'PA-B', depth=18)
    parts = {
        name
        for name, module in lean.named_modules()
        if isinstance(module, Recomputable) and module.recompute
    }
    blocks = {f'stages.{i}.{j}' for i in range(4) for j in range(2)}
    assert parts == {'stem', *blocks, *(f'closings.{i}' for i in range(4))}
    assert not any(getattr(m, 'recompute', False) for m in plain.modules())
    _, lean = pair(make_backbone, 'PA-A', depth=10)
    torch._dynamo.reset()
    compiled = torch.compile(lean, backend='eager', fullgraph=True)
    mean(compiled(torch.randn(IMAGES))).backward()
    assert lean.stages[0][0].branch[0].conv.weight.grad.any()


@pytest.mark.parametrize(
    'options',
    [
        {'norm_cfg': {'type': 'SyncBN'}},
        {'norm_cfg': {'type': 'GN', 'num_groups': 2}},
        # a norm that counts its batches must not count one twice
        {'norm_cfg': {'type': 'BN', 'momentum': None}},
        # frozen parts hold nothing; norms in evaluation mode stay as they are
        {'frozen_stages': 2, 'norm_cfg': {'type': 'GN', 'num_groups': 2}},
        {'norm_eval': True, 'neuron': {'type': 'IF', 'v_threshold': 0.1}},
        # random numbers are those of the first time, and go on as without
        {'family': 'MS', 'depth': 18, 'dropout': 0.5},
    ],
    ids=str,
)
def test_settings(options) -> None:
    plain, lean = pair(make_backbone, **options)
    if 'norm_eval' in options:
        for network in (plain, lean):
            for module in network.modules():
                if isinstance(module, nn.BatchNorm2d):
                    nn.init.constant_(module.bias, 0.5)
    check_same(plain, lean, torch.randn(IMAGES), passes=3)
