"""A silent branch is the identity (SG paper, Eqs. 16 and 17; SEW paper, 3.3)."""

import math
import re

import pytest
import torch
from torch import nn

from mmsnn.models import ResNetSNN
from mmsnn.models.layers import LayerFactory
from mmsnn.models.residual import FAMILIES, BasicBlock, Bottleneck, make_stage

from ..helpers import SILENT
from .by_hand import sample

STEPS = 3
CHANNELS = 8
SHORTCUTS = [name for name, w in FAMILIES.items() if w.merge is not None]
IDENTITIES = [name for name, w in FAMILIES.items() if w.starts_as_identity]
# those of them whose branches end with neurons
SPIKING = [name for name in IDENTITIES if FAMILIES[name].last_unit.endswith('S')]
SILENT_IS_IDENTITY = [name for name in SPIKING if name not in SILENT]
NEURONS = {
    'IF': {'type': 'IF'},
    'IF soft': {'type': 'IF', 'v_reset': None},
    'IF to -1': {'type': 'IF', 'v_reset': -1.0},
    'LIF': {'type': 'LIF', 'tau': 2.0},
    'LIF, whole input': {'type': 'LIF', 'tau': 4 / 3, 'decay_input': False},
    'PLIF': {'type': 'PLIF', 'init_tau': 1.7},
}


def make_block(family, block=BasicBlock, neuron=None):
    layers = LayerFactory(STEPS, neuron or {'type': 'IF'}, {'type': 'BN'})
    width = CHANNELS // block.expansion
    return block(CHANNELS, width, 1, FAMILIES[family], layers)


def initialised(family, neuron, num_blocks=3):
    layers = LayerFactory(STEPS, NEURONS[neuron], {'type': 'BN'})
    shape = (num_blocks, CHANNELS, CHANNELS, 1, FAMILIES[family], layers)
    stage = make_stage(BasicBlock, *shape)
    for block in stage:
        block.init_identity()
    return stage


def travelling(family, channels=CHANNELS):
    """Return what blocks of the family are given: spikes, integers or real numbers."""
    x = sample(FAMILIES[family].values, STEPS * 2, channels, 6, 5)
    assert x.max() > (FAMILIES[family].values == 'integer')
    return x


def assert_identity(network, x):
    y = network(x)
    assert torch.equal(y, x)
    upstream = torch.randn_like(x)
    (grad,) = torch.autograd.grad(y, x, upstream)
    assert torch.equal(grad, upstream)  # gradient 1 everywhere


def zeroed(unit):
    """Return what the initialisation changes: the last norm, or the convolution."""
    return unit.norm if unit.order.endswith(('N', 'NS')) else unit.conv


@pytest.mark.parametrize('block', [BasicBlock, Bottleneck])
@pytest.mark.parametrize('neuron', NEURONS)
@pytest.mark.parametrize('family', IDENTITIES)
def test_a_block_initialised_so_is_the_identity(family, neuron, block):
    made = make_block(family, block, NEURONS[neuron])
    assert made.projection is None
    x = travelling(family)
    assert not torch.equal(made(x), x)
    made.init_identity()
    assert_identity(made.train(), x)
    assert_identity(made.eval(), x)


@pytest.mark.parametrize('neuron', ['LIF'])
@pytest.mark.parametrize('family', IDENTITIES)
def test_the_equal_blocks_of_a_stage_of_depth_152(family, neuron):
    backbone = ResNetSNN(
        152,
        family,
        num_steps=STEPS,
        base_channels=1,
        out_indices=(2,),
        neuron=NEURONS[neuron],
        zero_init_residual=True,
    )
    backbone.init_weights()
    blocks = backbone.stages[2][1:]
    assert len(blocks) == 35
    x = travelling(family, channels=16)
    assert_identity(blocks.train(), x)
    assert_identity(blocks.eval(), x)


@pytest.mark.parametrize('family', SHORTCUTS)
def test_which_families_claim_the_identity(family):
    x = travelling(family)
    stages = [initialised(family, neuron, 2) for neuron in NEURONS]
    shown = all(torch.equal(stage(x), x) for stage in stages)
    assert FAMILIES[family].starts_as_identity == shown


@pytest.mark.parametrize('family', SHORTCUTS)
def test_where_the_branch_is_zeroed(family):
    block = make_block(family, Bottleneck)
    before = {k: p.clone() for k, p in block.state_dict().items()}
    block.init_identity()
    changed = {
        k for k, p in block.state_dict().items() if not torch.equal(p, before[k])
    }
    if FAMILIES[family].last_unit.endswith('C'):
        assert changed == {'branch.2.conv.weight'}
        assert not block.branch[-1].conv.weight.any()
    elif family == 'SEW-AND':
        assert changed == {'branch.2.norm.weight', 'branch.2.norm.bias'}
        assert (block.branch[-1].norm.bias == 1.01).all()
        assert not block.branch[-1].norm.weight.any()
    else:
        assert changed == {'branch.2.norm.weight'}
        assert not block.branch[-1].norm.weight.any()
        nn.init.constant_(block.branch[-1].norm.bias, 3.0)
        block.init_identity()  # a bias of any earlier value too
        assert not block.branch[-1].norm.bias.any()


def test_spiking_with_if_repeats_spikes_but_not_their_gradient():
    x = travelling('Spiking').detach().double().requires_grad_()
    y = initialised('Spiking', 'IF', 35).double()(x)
    assert torch.equal(y, x)
    (grad,) = torch.autograd.grad(y.sum(), x)
    # at the last step, whose spikes reset nothing: the surrogate of each of 35 neurons
    last, x = grad[-2:], x[-2:]
    expected = x + (1 - x) * (1 + math.pi**2) ** -35
    torch.testing.assert_close(last, expected, rtol=1e-6, atol=0.0)


@pytest.mark.parametrize('neuron', ['LIF', 'PLIF'])
def test_spiking_with_a_leak_is_not_the_identity(neuron):
    x = travelling('Spiking')
    y = initialised('Spiking', neuron, 1)(x)
    assert not torch.equal(y, x)
    # deeper, nothing is left of it
    assert not initialised('Spiking', neuron, 35)(x).any()


@pytest.mark.parametrize('neuron', ['IF', 'LIF'])
@pytest.mark.parametrize('num_blocks', [1, 3])
@pytest.mark.parametrize('family', ['tdBN', 'BAA', 'DANet-D'])
def test_a_norm_on_the_way_is_not_the_identity(family, num_blocks, neuron):
    stage, x = initialised(family, neuron, num_blocks), travelling('SG-BSG')
    assert not torch.equal(stage(x), x)


def test_dense_addition_is_not_the_identity():
    x = travelling('SG-BSG')
    # a block that is the identity, added to what it was given
    assert torch.equal(initialised('DANet-C', 'IF', 2)(x), 2 * x)
    assert not torch.equal(initialised('DANet-C', 'LIF', 2)(x), x)


@pytest.mark.parametrize('family', ['SG-BSG', 'SG-BSG*'])
def test_sg_with_a_firing_branch_is_not_the_identity(family):
    block = make_block(family)
    block.init_identity()
    x = travelling(family)
    nn.init.constant_(block.branch[-1].norm.bias, 1.0)
    assert torch.equal(block(x), torch.ones_like(x))


@pytest.mark.parametrize('block', [BasicBlock, Bottleneck])
def test_a_plain_block_has_no_shortcut(block):
    assert not FAMILIES['plain'].starts_as_identity
    message = 'a block without a shortcut cannot start as the identity'
    with pytest.raises(ValueError, match=message):
        make_block('plain', block).init_identity()


@pytest.mark.parametrize('family', SILENT_IS_IDENTITY)
def test_silence_by_inhibition_is_the_identity(family):
    # the branch works, but its last neurons never reach their threshold
    blocks = [make_block(family) for _ in range(50)]
    for block in blocks:
        nn.init.constant_(block.branch[-1].norm.bias, -100.0)
    x = travelling(family)
    assert torch.equal(nn.Sequential(*blocks)(x), x)


def test_a_silent_and_branch_silences_its_block():
    block = make_block('SEW-AND')
    nn.init.constant_(block.branch[-1].norm.bias, -100.0)
    assert not block(travelling('SEW-AND')).any()


@pytest.mark.parametrize('family', IDENTITIES)
def test_identity_survives_bf16(family):
    block = make_block(family, neuron={'type': 'LIF', 'v_threshold': 0.7, 'tau': 1.7})
    block.init_identity()
    x = travelling(family).detach().bfloat16()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert torch.equal(block(x), x)


@pytest.mark.parametrize('family', IDENTITIES)
def test_the_identity_can_be_left(family):
    block = make_block(family)
    block.init_identity()
    block(travelling(family)).square().sum().backward()
    for parameter in zeroed(block.branch[-1]).parameters():
        assert parameter.grad.any()


class Foreign(nn.Module):
    """A neuron of another package."""

    def __init__(self, num_steps):
        super().__init__()

    def forward(self, x):
        return (x > 0.5).to(x.dtype)


@pytest.mark.parametrize('family', [name for name in IDENTITIES if name not in SILENT])
def test_identity_with_a_foreign_neuron(family):
    block = make_block(family, neuron={'type': Foreign})
    block.init_identity()
    x = travelling(family)
    assert torch.equal(block(x), x)


def test_and_does_not_know_how_to_make_a_foreign_neuron_fire():
    block = make_block('SEW-AND', neuron={'type': Foreign})
    before = block.branch[-1].norm.weight.clone()
    with pytest.raises(TypeError, match='AND needs neurons .*, but got Foreign'):
        block.init_identity()
    assert torch.equal(block.branch[-1].norm.weight, before)


@pytest.mark.parametrize('family', ['SEW-AND', 'SG-BSG', 'PA-A'])
def test_identity_needs_norms_with_parameters(family):
    backbone = ResNetSNN(
        10,
        family,
        base_channels=4,
        norm_cfg={'type': 'BN', 'affine': False},
        zero_init_residual=True,
    )
    message = (
        'this initialisation needs norms that have a weight and a bias, but got '
        'BatchNorm2d(4, '
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        backbone.init_weights()


def test_identity_by_the_convolution_needs_no_norm_with_parameters():
    layers = LayerFactory(STEPS, {'type': 'IF'}, {'type': 'BN', 'affine': False})
    block = BasicBlock(CHANNELS, CHANNELS, 1, FAMILIES['PA-B'], layers)
    block.init_identity()
    assert_identity(block, travelling('PA-B'))
