"""The named networks: which row of the table each is, and what MS-ResNet adds."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from mmsnn.models import (
    FAMILIES,
    DANet,
    EMSResNet,
    MSResNet,
    ResNetSNN,
    SEWResNet,
    SGResNet,
    SpikingResNet,
)
from mmsnn.models.backbones.named_resnets import ChannelDropout
from mmsnn.models.backbones.resnet import Architecture
from mmsnn.models.residual import BasicBlock, Bottleneck, LearnedGateMerge

from ..helpers import (
    FAMILY_ENTRIES,
    SMALL,
    calibrate,
    make_backbone,
    parameters_without_gradient,
    sum_of,
)
from .networks import make_active

# the first is the default
ENTRIES = {
    SpikingResNet: ('connect', {'Origin': 'Spiking', 'tdBN': 'tdBN', 'BAA': 'BAA'}),
    SEWResNet: ('connect', {'ADD': 'SEW-ADD', 'AND': 'SEW-AND', 'IAND': 'SEW-IAND'}),
    SGResNet: ('gate', {'BSG': 'SG-BSG'}),
    DANet: ('variant', {letter: f'DANet-{letter}' for letter in 'ABCD'}),
}


@pytest.mark.parametrize('entry', ENTRIES)
def test_each_choice_is_a_row_of_the_table(entry):
    argument, families = ENTRIES[entry]
    with torch.device('meta'):
        for choice, family in families.items():
            assert entry(10, **{argument: choice}).family is FAMILIES[family]
            assert entry(10, choice).family is FAMILIES[family]
        assert entry(10).family is FAMILIES[next(iter(families.values()))]
        assert MSResNet(10).family is FAMILIES['MS']


def test_the_learned_gate_and_its_threshold():
    row = FAMILIES['SG-BSG*']
    default = SGResNet(10, 'BSG*', base_channels=4)
    assert default.family == replace(row, merge_options={'threshold': 0.5})
    backbone = SGResNet(10, gate='BSG*', gate_threshold=0.25, base_channels=4)
    assert backbone.family == replace(row, merge_options={'threshold': 0.25})
    merges = [m for m in backbone.modules() if isinstance(m, LearnedGateMerge)]
    assert len(merges) == 4
    assert {merge.threshold for merge in merges} == {0.25}


@pytest.mark.parametrize('family', FAMILY_ENTRIES)
def test_the_same_network_by_its_family(family):
    named = make_active(family, 10).eval()
    own = dict(type(named).defaults)
    if isinstance(named, (MSResNet, EMSResNet)):
        own |= {'stem': 'ms', 'strides': (2, 2, 2, 2)}
    generic = ResNetSNN(10, family, **{**SMALL, **own}).eval()
    generic.load_state_dict(named.state_dict())
    merges = {type(block.merge) for stage in named.stages for block in stage}
    assert merges == {FAMILIES[family].merge or type(None)}
    image = torch.randn(1, 3, 64, 64)
    for ours, theirs in zip(named(image), generic(image), strict=True):
        assert ours.any()
        assert torch.equal(ours, theirs)


def layout(backbone):
    """Return stem convolutions (kernel, stride), stage strides, pooled projections."""
    stem = [m for m in backbone.stem.modules() if isinstance(m, nn.Conv2d)]
    first = [stage[0] for stage in backbone.stages]
    strides = [max(unit.conv.stride[0] for unit in block.branch[:2]) for block in first]
    return (
        [(conv.kernel_size[0], conv.stride[0]) for conv in stem],
        strides,
        [block.pool is not None for block in first],
    )


SEVEN, THREE = [(7, 2)], [(3, 2), (3, 1), (3, 1)]
CIFAR_STEM = {'type': 'DirectStem', 'kernel_size': 3, 'stride': 1, 'pool': False}


@pytest.mark.parametrize(
    ('depth', 'options', 'stem', 'strides', 'pooled'),
    [
        (10, {}, SEVEN, [2, 2, 2, 2], [False] * 4),
        (18, {}, SEVEN, [2, 2, 2, 2], [False] * 4),
        (50, {}, SEVEN, [2, 2, 2, 2], [False] * 4),
        (104, {}, THREE, [2, 2, 2, 2], [True] * 4),
        (18, {'avg_down': True}, SEVEN, [2, 2, 2, 2], [True] * 4),
        (104, {'avg_down': False}, THREE, [2, 2, 2, 2], [False] * 4),
        (18, {'stem': 'ms104'}, THREE, [2, 2, 2, 2], [False] * 4),
        (18, {'strides': (1, 2, 2, 2)}, SEVEN, [1, 2, 2, 2], [False] * 4),
        (18, {'stem': 'imagenet'}, SEVEN, [1, 2, 2, 2], [False] * 4),
        (18, {'stem': 'cifar'}, [(3, 1)], [1, 2, 2, 2], [False] * 4),
        (18, {'stem': CIFAR_STEM}, [(3, 1)], [1, 2, 2, 2], [False] * 4),
        (104, {'stem': 'cifar'}, [(3, 1)], [1, 2, 2, 2], [False] + [True] * 3),
    ],
)
def test_layout_of_ms_resnet(depth, options, stem, strides, pooled):
    with torch.device('meta'):
        backbone = MSResNet(depth, **options)
        (level,) = backbone(torch.empty(1, 3, 64, 64))
    assert layout(backbone) == (stem, strides, pooled)
    # analog values pass the stem, and there is no max-pool but ImageNet's
    assert backbone.stem.neuron is None
    assert (backbone.stem.pool is None) == (options.get('stem') != 'imagenet')
    total = math.prod([stride for _, stride in stem]) * math.prod(strides)
    total *= 1 if backbone.stem.pool is None else 2
    assert level.shape[-1] == 64 // total


def test_ems_resnet():
    backbone = make_backbone('EMS')
    # each convolution after the stem gets spikes
    given = {}
    for name, module in backbone.named_modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_pre_hook(
                lambda _, args, name=name: given.setdefault(name, args[0])
            )
    levels = backbone(torch.randn(2, 3, 63, 65))
    assert [tuple(level.shape[-2:]) for level in levels] == [
        (16, 17),
        (8, 9),
        (4, 5),
        (2, 3),
    ]
    spikes = {name for name, x in given.items() if ((x == 0) | (x == 1)).all()}
    assert given.keys() - spikes == {'stem.encode.conv'}
    # widening shortcuts make the new channels only
    shapes = [stage[0].projection.conv.weight.shape[:2] for stage in backbone.stages]
    assert shapes == [(8, 8), (8, 8), (16, 16), (32, 32)]
    dynamics = backbone.closings['3'].neuron.dynamics
    assert (dynamics.v_threshold, dynamics.decay_input) == (0.5, False)
    assert backbone.closings['3'].neuron.decay() == 0.75


@pytest.mark.parametrize('zero_init_residual', [None, True, False])
@pytest.mark.parametrize('v_threshold', [1.0, 0.5])
@pytest.mark.parametrize('depth', [18, 50])
def test_norms_of_ms_resnet(depth, v_threshold, zero_init_residual):
    options = {'neuron': {'type': 'IF', 'v_threshold': v_threshold}, **SMALL}
    if zero_init_residual is not None:
        options['zero_init_residual'] = zero_init_residual
    backbone = MSResNet(depth, **options)
    backbone.init_weights()
    last = {id(b.branch[-1].norm) for stage in backbone.stages for b in stage}
    # on unless it is switched off
    end = v_threshold if zero_init_residual is False else 0.0
    norms = [m for m in backbone.modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) > len(last)
    for norm in norms:
        expected = end if id(norm) in last else v_threshold
        assert (norm.weight == expected).all()
        assert not norm.bias.any()


def test_ms_resnet_for_cifar():
    backbone = MSResNet(18, layout='cifar', num_steps=2, base_channels=4, dropout=0.5)
    assert backbone.depth == 18
    assert [len(stage) for stage in backbone.stages] == [3, 3, 2]
    assert backbone.stem.pool is None
    assert isinstance(backbone.closings['2'][-1], ChannelDropout)
    (level,) = backbone(torch.randn(2, 3, 32, 32))
    assert level.shape == (2, 2, 32, 8, 8)
    # the code of Qiu et al. starts without identities
    assert backbone.zero_init_residual is False
    early = MSResNet(18, layout='cifar', base_channels=4, out_indices=(0, 1))
    assert early.out_channels == (8, 16)


def test_an_architecture_of_ones_own():
    architecture = Architecture(Bottleneck, (1, 2), (1, 3))
    assert architecture.depth == 1 + 3 * 3 + 1
    backbone = ResNetSNN(
        architecture,
        'SG-BSG',
        num_steps=2,
        base_channels=4,
        strides=(1, 2),
        out_indices=(0, 1),
    )
    assert backbone.depth == 11
    shapes = [level.shape for level in backbone(torch.randn(1, 3, 32, 32))]
    assert shapes == [(2, 1, 16, 8, 8), (2, 1, 48, 4, 4)]


@pytest.mark.parametrize(
    ('num_blocks', 'widths'), [((), ()), ((1, 2), (1,)), ((1, 0), (1, 2))]
)
def test_architectures_that_are_none(num_blocks, widths):
    with pytest.raises(ValueError, match='num_blocks and widths must'):
        Architecture(BasicBlock, num_blocks, widths)


@pytest.mark.parametrize('p', [0.2, 0.5])
def test_dropout_is_that_of_the_pooled_features(p):
    backbone = make_backbone('MS', num_steps=3, dropout=p).double().train()
    image = torch.randn(8, 3, 64, 64, dtype=torch.float64)
    levels, closing = backbone(image), backbone.closings['3']
    # evaluation mode of the dropout alone: the norms still use the batch
    closing.eval()
    whole = backbone(image)
    # only the last level has it
    assert all(map(torch.equal, levels[:-1], whole[:-1]))
    pooled, whole_pooled = (f.mean((0, 3, 4)) for f in (levels[-1], whole[-1]))
    assert pooled.shape == (8, 64)
    active, kept = whole_pooled > 0, pooled > 0
    assert active.float().mean() > 0.9
    assert not kept[~active].any()
    # the same channels at every step and place, an own mask for every image
    torch.testing.assert_close(
        levels[-1], whole[-1] * kept[None, :, :, None, None] / (1 - p)
    )
    dropped = (~kept)[active].double().mean().item()
    assert dropped == pytest.approx(p, abs=0.1)
    assert (kept[0] != kept[1])[active[0] & active[1]].any()
    # drawn as torch does
    drop, x = closing.train()[-1], torch.rand(3 * 2, 64, 4, 4)
    torch.manual_seed(1)
    found = drop(x).unflatten(0, (3, 2)).mean((0, 3, 4))
    torch.manual_seed(1)
    expected = nn.functional.dropout(x.unflatten(0, (3, 2)).mean((0, 3, 4)), p)
    torch.testing.assert_close(found, expected)


def test_dropout_only_acts_in_training():
    backbone = make_backbone('MS', dropout=0.5)
    image = torch.randn(2, 3, 64, 64)
    calibrate(backbone, image).eval()
    without = make_backbone('MS').eval()
    without.load_state_dict(backbone.state_dict(), strict=True)
    for level, expected in zip(backbone(image), without(image), strict=True):
        assert level.unique().tolist() == [0, 1]
        assert torch.equal(level, expected)
    frozen = MSResNet(18, dropout=0.2, neuron={'type': 'PLIF'}, frozen_stages=4)
    assert not any(module.training for module in frozen.closings['3'].modules())


def test_the_network_of_ms_resnet104_learns():
    backbone = make_active('MS', 104, base_channels=4, dropout=0.2)
    levels = backbone(torch.randn(2, 3, 64, 64))
    sum_of(levels, [torch.randn_like(level) for level in levels]).backward()
    assert parameters_without_gradient(backbone) == []
