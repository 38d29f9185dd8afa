"""A silent branch is the identity (SG paper, Eqs. 16 and 17; SEW paper, 3.3)."""

import math

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
NEURONS = {
    'IF': {'type': 'IF'},
    'IF soft': {'type': 'IF', 'v_reset': None},
    'IF to -1': {'type': 'IF', 'v_reset': -1.0},
    'LIF': {'type': 'LIF', 'tau': 2.0},
    'LIF, whole input': {'type': 'LIF', 'tau': 4 / 3, 'decay_input': False},
    'PLIF': {'type': 'PLIF', 'init_tau': 1.7},
}
BLOCKS = pytest.mark.parametrize('block', [BasicBlock, Bottleneck])


def make_block(family, block=BasicBlock, neuron=NEURONS['IF'], **norm):
    layers = LayerFactory(STEPS, neuron, {'type': 'BN', **norm})
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
    for training in (True, False):
        y = network.train(training)(x)
        assert torch.equal(y, x)
        upstream = torch.randn_like(x)
        (grad,) = torch.autograd.grad(y, x, upstream)
        assert torch.equal(grad, upstream)  # gradient 1 everywhere


@BLOCKS
@pytest.mark.parametrize('neuron', NEURONS)
@pytest.mark.parametrize('family', IDENTITIES)
def test_a_block_initialised_so_is_the_identity(family, neuron, block):
    made = make_block(family, block, NEURONS[neuron])
    assert made.projection is None
    x = travelling(family)
    assert not torch.equal(made(x), x)
    made.init_identity()
    assert_identity(made, x)


@pytest.mark.parametrize('family', IDENTITIES)
def test_in_bf16_and_what_leaves_the_identity(family):
    block = make_block(family, neuron={'type': 'LIF', 'v_threshold': 0.7, 'tau': 1.7})
    block.init_identity()
    x = travelling(family).detach().bfloat16()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert torch.equal(block(x), x)
    block = make_block(family)
    block.init_identity()
    block(travelling(family)).square().sum().backward()
    # the last norm learns, or else the convolution
    unit = block.branch[-1]
    zeroed = unit.norm if unit.order.endswith(('N', 'NS')) else unit.conv
    assert all(parameter.grad.any() for parameter in zeroed.parameters())


@pytest.mark.parametrize('family', IDENTITIES)
def test_the_equal_blocks_of_a_stage_of_depth_152(family):
    backbone = ResNetSNN(
        152,
        family,
        num_steps=STEPS,
        base_channels=1,
        out_indices=(2,),
        neuron=NEURONS['LIF'],
        zero_init_residual=True,
    )
    backbone.init_weights()
    blocks = backbone.stages[2][1:]
    assert len(blocks) == 35
    assert_identity(blocks, travelling(family, channels=16))


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
    last = block.branch[-1]
    if FAMILIES[family].last_unit.endswith('C'):
        assert changed == {'branch.2.conv.weight'}
        assert not last.conv.weight.any()
        return
    assert not last.norm.weight.any()
    if family == 'SEW-AND':
        assert changed == {'branch.2.norm.weight', 'branch.2.norm.bias'}
        assert (last.norm.bias == 1.01).all()
    else:
        assert changed == {'branch.2.norm.weight'}
        nn.init.constant_(last.norm.bias, 3.0)
        block.init_identity()  # a bias of any earlier value too
        assert not last.norm.bias.any()


def test_spiking_with_if_repeats_spikes_but_not_their_gradient():
    x = travelling('Spiking').detach().double().requires_grad_()
    y = initialised('Spiking', 'IF', 35).double()(x)
    assert torch.equal(y, x)
    (grad,) = torch.autograd.grad(y.sum(), x)
    # at the last step, whose spikes reset nothing: the surrogate of each of 35 neurons
    last, x = grad[-2:], x[-2:]
    expected = x + (1 - x) * (1 + math.pi**2) ** -35
    torch.testing.assert_close(last, expected, rtol=1e-6, atol=0.0)


@pytest.mark.parametrize(
    ('family', 'neuron', 'num_blocks'),
    [
        # a leak
        ('Spiking', 'LIF', 1),
        ('Spiking', 'PLIF', 1),
        # a norm on the way
        *(
            (family, neuron, num_blocks)
            for family in ('tdBN', 'BAA', 'DANet-D')
            for neuron in ('IF', 'LIF')
            for num_blocks in (1, 3)
        ),
        # dense addition
        ('DANet-C', 'IF', 2),
        ('DANet-C', 'LIF', 2),
    ],
)
def test_what_is_not_the_identity(family, neuron, num_blocks):
    x = travelling('SG-BSG')
    y = initialised(family, neuron, num_blocks)(x)
    assert not torch.equal(y, x)
    if (family, neuron) == ('DANet-C', 'IF'):
        # a block that is the identity, added to what it was given
        assert torch.equal(y, 2 * x)
    if family == 'Spiking':  # deeper, nothing is left of it
        assert not initialised('Spiking', neuron, 35)(x).any()


@pytest.mark.parametrize('family', ['SG-BSG', 'SG-BSG*'])
def test_sg_with_a_firing_branch_is_not_the_identity(family):
    block = make_block(family)
    block.init_identity()
    x = travelling(family)
    nn.init.constant_(block.branch[-1].norm.bias, 1.0)
    assert torch.equal(block(x), torch.ones_like(x))


@BLOCKS
def test_a_plain_block_has_no_shortcut(block):
    assert not FAMILIES['plain'].starts_as_identity
    with pytest.raises(ValueError, match='without a shortcut cannot start as'):
        make_block('plain', block).init_identity()


@pytest.mark.parametrize('family', SPIKING)
def test_silence_by_inhibition_is_the_identity_but_of_and(family):
    # the branch works, but its last neurons never reach their threshold
    blocks = [make_block(family) for _ in range(50)]
    for block in blocks:
        nn.init.constant_(block.branch[-1].norm.bias, -100.0)
    x = travelling(family)
    y = nn.Sequential(*blocks)(x)
    assert not y.any() if family in SILENT else torch.equal(y, x)


class Foreign(nn.Module):
    """A neuron of another package."""

    def __init__(self, num_steps):
        super().__init__()

    def forward(self, x):
        return (x > 0.5).to(x.dtype)


@pytest.mark.parametrize('family', IDENTITIES)
def test_identity_with_a_foreign_neuron(family):
    block = make_block(family, neuron={'type': Foreign})
    if family in SILENT:  # whose current to fire is not known
        before = block.branch[-1].norm.weight.clone()
        with pytest.raises(TypeError, match='AND needs neurons .*, but got Foreign'):
            block.init_identity()
        assert torch.equal(block.branch[-1].norm.weight, before)
    else:
        block.init_identity()
        x = travelling(family)
        assert torch.equal(block(x), x)


@pytest.mark.parametrize('family', ['SEW-AND', 'SG-BSG', 'PA-A'])
def test_identity_needs_norms_with_parameters(family):
    options = dict(base_channels=4, norm_cfg={'type': 'BN', 'affine': False})
    backbone = ResNetSNN(10, family, zero_init_residual=True, **options)
    with pytest.raises(ValueError, match=r'a weight and a bias.*BatchNorm2d\(4, '):
        backbone.init_weights()


def test_identity_by_the_convolution_needs_no_norm_with_parameters():
    block = make_block('PA-B', affine=False)
    block.init_identity()
    assert_identity(block, travelling('PA-B'))
