"""A silent branch is the identity (SG paper, Eqs. 16 and 17; SEW paper, 3.3)."""

import pytest
import torch
from torch import nn

from mmsnn.models import ResNetSNN
from mmsnn.models.layers import LayerFactory
from mmsnn.models.residual import FAMILIES, BasicBlock, Bottleneck

STEPS = 3
CHANNELS = 8
SILENT_IS_IDENTITY = [name for name in FAMILIES if name != 'SEW-AND']
NEURONS = {
    'IF': {'type': 'IF'},
    'IF soft': {'type': 'IF', 'v_reset': None},
    'IF to -1': {'type': 'IF', 'v_reset': -1.0},
    'LIF': {'type': 'LIF', 'tau': 2.0},
    'PLIF': {'type': 'PLIF', 'init_tau': 1.7},
}


def make_block(family, block=BasicBlock, neuron=None, norm=None):
    layers = LayerFactory(
        STEPS, neuron or {'type': 'IF'}, norm or {'type': 'BN'}, conv_cfg=None
    )
    width = CHANNELS // block.expansion
    made = block(CHANNELS, width, 1, FAMILIES[family], layers)
    assert made.projection is None
    return made


def spikes():
    x = (torch.rand(STEPS * 2, CHANNELS, 6, 5) < 0.4).float()
    return x.requires_grad_()


def assert_identity(network, x):
    y = network(x)
    assert torch.equal(y, x)
    upstream = torch.randn_like(x)
    (grad,) = torch.autograd.grad(y, x, upstream)
    assert torch.equal(grad, upstream)  # gradient 1 everywhere


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('block', [BasicBlock, Bottleneck])
@pytest.mark.parametrize('neuron', NEURONS)
@pytest.mark.parametrize('family', FAMILIES)
def test_a_block_initialised_so_is_the_identity(family, neuron, block, training):
    made = make_block(family, block, NEURONS[neuron])
    x = spikes()
    assert not torch.equal(made(x), x)
    made.init_identity()
    assert_identity(made.train(training), x)


@pytest.mark.parametrize('family', FAMILIES)
def test_a_stack_of_50_is_the_identity(family):
    blocks = [make_block(family) for _ in range(50)]
    for block in blocks:
        block.init_identity()
    assert_identity(nn.Sequential(*blocks), spikes())


@pytest.mark.parametrize('family', SILENT_IS_IDENTITY)
def test_silence_by_inhibition_is_the_identity(family):
    # the branch works, but its last neurons never reach their threshold
    blocks = [make_block(family) for _ in range(50)]
    for block in blocks:
        nn.init.constant_(block.branch[-1].norm.bias, -100.0)
    x = spikes()
    assert torch.equal(nn.Sequential(*blocks)(x), x)


def test_a_silent_and_branch_silences_its_block():
    block = make_block('SEW-AND')
    nn.init.constant_(block.branch[-1].norm.bias, -100.0)
    assert not block(spikes()).any()


@pytest.mark.parametrize('family', FAMILIES)
def test_identity_survives_bf16(family):
    block = make_block(family, neuron={'type': 'LIF', 'v_threshold': 0.7, 'tau': 1.7})
    block.init_identity()
    x = spikes().detach().bfloat16()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert torch.equal(block(x), x)


@pytest.mark.parametrize('family', FAMILIES)
def test_the_identity_can_be_left(family):
    block = make_block(family)
    block.init_identity()
    block(spikes()).sum().backward()
    norm = block.branch[-1].norm
    assert norm.weight.grad.any()
    assert norm.bias.grad.any()


class Foreign(nn.Module):
    """A neuron of another package."""

    def __init__(self, num_steps):
        super().__init__()

    def forward(self, x):
        return (x > 0.5).to(x.dtype)


@pytest.mark.parametrize('family', SILENT_IS_IDENTITY)
def test_identity_with_a_foreign_neuron(family):
    block = make_block(family, neuron={'type': Foreign})
    block.init_identity()
    x = spikes()
    assert torch.equal(block(x), x)


def test_and_does_not_know_how_to_make_a_foreign_neuron_fire():
    block = make_block('SEW-AND', neuron={'type': Foreign})
    before = block.branch[-1].norm.weight.clone()
    with pytest.raises(TypeError, match='AND needs neurons .*, but got Foreign'):
        block.init_identity()
    assert torch.equal(block.branch[-1].norm.weight, before)


def test_identity_needs_norms_with_parameters():
    backbone = ResNetSNN(
        10,
        'SG-BSG',
        base_channels=4,
        norm_cfg={'type': 'BN', 'affine': False},
        zero_init_residual=True,
    )
    with pytest.raises(
        ValueError, match='norms have a weight and a bias, but got Batch'
    ):
        backbone.init_weights()
