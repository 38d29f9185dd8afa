"""Exported operators, decomposed into PyTorch's own, give the same values."""

import itertools

import pytest
import torch
from torch import nn

from mmsnn.models.backbones import SGResNet
from mmsnn.ops import decompositions

TABLE = decompositions()
OPS = torch.ops.mmsnn


def currents(dtype: torch.dtype) -> torch.Tensor:
    return (torch.randn(4, 3, 5, generator=torch.Generator().manual_seed(0))).to(dtype)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize(
    ('decay', 'learns', 'v_reset', 'decay_input', 'as_bytes'),
    [
        *itertools.product([None], [False], [0.0, -0.3, None], [True], [False, True]),
        *itertools.product([0.4], [False], [0.0, -0.3, None], [True, False], [False]),
        *itertools.product([None], [True], [0.0, -0.3, None], [True, False], [False]),
    ],
)
def test_neurons(dtype, decay, learns, v_reset, decay_input, as_bytes) -> None:
    x = currents(dtype)
    state = torch.float64 if dtype == torch.float64 else torch.float32
    learned = torch.tensor(0.4, dtype=state) if learns else None
    args = (x, learned, decay, 0.5, v_reset, decay_input, False, 1, 2.0, True, as_bytes)
    spikes, potentials = OPS.multi_step(*args)
    found = TABLE[OPS.multi_step.default](*args)
    assert spikes.any()
    assert torch.equal(found[0], spikes)
    assert torch.equal(found[1], potentials)
    start = currents(state)[0]
    expected = OPS.multi_step_from(x, start, *args[1:])
    found = TABLE[OPS.multi_step_from.default](x, start, *args[1:])
    assert not torch.equal(expected[2], potentials[-1])
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize('normalize', [False, True])
def test_integer_neurons(dtype, normalize) -> None:
    x, settings = 3 * currents(dtype), (0.25, 4, normalize, False, True)
    start = torch.full_like(x[0], -0.7, dtype=torch.promote_types(dtype, torch.float32))
    for name, args in (
        ('integer_multi_step', (x, *settings)),
        ('integer_multi_step_from', (x, start, *settings)),
    ):
        operator = getattr(OPS, name)
        found, expected = TABLE[operator.default](*args), operator(*args)
        for one, other in zip(found, expected, strict=True):
            assert torch.equal(one, other)


@pytest.mark.parametrize(
    'neuron',
    [
        dict(type='IF'),
        dict(type='LIF', v_reset=None),
        dict(type='PLIF', decay_input=False, v_reset=-0.1),
    ],
)
def test_exported_network_needs_no_operator_of_ours(neuron) -> None:
    torch.manual_seed(0)
    network = SGResNet(
        10,
        base_channels=16,
        num_steps=2,
        out_indices=(0, 1),
        neuron=neuron,
        stem='cifar',
    ).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.constant_(module.bias, 2.0)
    image, other = torch.randn(2, 3, 32, 32), torch.randn(3, 3, 32, 32)
    batch = torch.export.Dim('batch', max=8)
    with torch.no_grad():
        program = torch.export.export(network, (image,), dynamic_shapes=({0: batch},))
        program = program.run_decompositions(decompositions())
        targets = {str(node.target) for node in program.graph.nodes}
        assert not any('mmsnn' in target for target in targets)
        for found, features in zip(
            program.module()(other), network(other), strict=True
        ):
            assert features.any()
            assert torch.equal(found, features)
