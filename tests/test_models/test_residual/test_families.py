"""The wiring table: what its rows say of themselves is true of tensors."""

import re
from dataclasses import replace

import pytest
import torch
from torch import nn

from mmsnn.models.residual import (
    FAMILIES,
    AddMerge,
    BasicBlock,
    Bottleneck,
    GateMerge,
    LearnedGateMerge,
    Wiring,
    get_family,
    make_stage,
)

from .by_hand import LAYERS, STEPS, sample, scatter

AUTHORS = {
    'plain': 'Fang et al. 2021',
    'Spiking': 'Fang et al. 2021',
    'tdBN': 'Zheng et al. 2021',
    'SEW-ADD': 'Fang et al. 2021',
    'SEW-AND': 'Fang et al. 2021',
    'SEW-IAND': 'Fang et al. 2021',
    'SG-BSG': 'Zhang et al. 2023',
    'SG-BSG*': 'Zhang et al. 2023',
    'MS': 'Hu et al. 2021',
    'EMS': 'Su et al. 2023',
    'EMS-Block1': 'Su et al. 2023',
    'BAA': 'Li et al.',
    'PA-A': 'Li et al.',
    'PA-B': 'Li et al.',
    'DANet-C': 'Li et al.',
    'DANet-D': 'Li et al.',
}


@pytest.mark.parametrize('block', [BasicBlock, Bottleneck])
@pytest.mark.parametrize('family', FAMILIES)
def test_values_are_what_travels_between_blocks(family, block):
    wiring = FAMILIES[family]
    stage = make_stage(block, 4, 6, 8, 2, wiring, LAYERS['IF'])
    scatter(stage)
    travelled = []
    for module in list(stage)[1:]:
        module.register_forward_pre_hook(lambda _, args: travelled.append(args[0]))

    # a stem's output: spikes, or real numbers where blocks begin with neurons
    y = stage(sample('analog' if wiring.closing else 'binary', STEPS * 2, 6, 9, 9))

    travelled = torch.cat([*travelled, y]).detach()
    assert travelled.any()
    if wiring.values == 'binary':
        assert set(travelled.unique().tolist()) == {0.0, 1.0}
    elif wiring.values == 'integer':
        assert (travelled % 1 == 0).all()
        assert travelled.min() == 0
        assert travelled.max() > 1
    else:
        assert (travelled % 1 != 0).any()
        assert travelled.min() < 0


@pytest.mark.parametrize('family', FAMILIES)
def test_a_densely_additive_stage_of_one_block_sums_nothing(family):
    wiring = FAMILIES[family]
    alone = wiring.values_in(1)
    assert (alone == wiring.values) != wiring.densely_additive
    y = make_stage(BasicBlock, 1, 6, 8, 2, wiring, LAYERS['IF'])(
        sample('analog' if wiring.closing else 'binary', STEPS * 2, 6, 9, 9)
    )
    if alone == 'binary':
        assert set(y.unique().tolist()) <= {0.0, 1.0}


@pytest.mark.parametrize('family', FAMILIES)
def test_closing_is_what_blocks_have_before_their_first_convolution(family):
    wiring = FAMILIES[family]
    # what is analog can become spikes, and nothing else has to
    assert wiring.closing.endswith('S') == (wiring.values == 'analog')
    first = BasicBlock(8, 8, 1, wiring, LAYERS['IF']).branch[0]
    names = ''.join(
        {'conv': 'C', 'norm': 'N', 'neuron': 'S'}[n] for n in first._modules
    )
    if wiring.values == 'analog':
        assert names.partition('C')[0] == wiring.closing


@pytest.mark.parametrize(
    ('family', 'closing'), [('PA-A', 'S'), ('PA-B', 'NS'), ('MS', 'S'), ('BAA', '')]
)
def test_closings(family, closing):
    assert FAMILIES[family].closing == closing


@pytest.mark.parametrize('family', FAMILIES)
def test_every_family_cites_its_source(family):
    wiring = FAMILIES[family]
    assert len(wiring.citation.split()) > 3
    assert wiring.advice


@pytest.mark.parametrize('family', AUTHORS)
def test_authors(family):
    assert FAMILIES[family].citation.startswith(AUTHORS[family])


def test_the_families_of_danet_s_table_share_rows():
    assert FAMILIES['DANet-A'] is FAMILIES['PA-A']
    assert FAMILIES['DANet-B'] is FAMILIES['PA-B']
    assert FAMILIES['MS'] is not FAMILIES['PA-A']


@pytest.mark.parametrize(
    ('dense', 'plain'), [('DANet-C', 'Spiking'), ('DANet-D', 'BAA')]
)
def test_danet_c_and_d_have_the_blocks_of_their_plain_families(dense, plain):
    assert FAMILIES[dense].densely_additive
    words = {'citation': '', 'advice': '', 'reported': ''}
    row = replace(FAMILIES[dense], densely_additive=False, **words)
    assert row == replace(FAMILIES[plain], **words)


@pytest.mark.parametrize('name', ['unit', 'last_unit', 'projection'])
@pytest.mark.parametrize('order', ['', 'NS', 'S'])
def test_a_unit_without_convolution(name, order):
    message = f'{name} must have a convolution (C), but got {order!r}'
    with pytest.raises(ValueError, match=re.escape(message)):
        Wiring(AddMerge, 'a test', **{name: order})


@pytest.mark.parametrize('name', ['identity', 'post'])
@pytest.mark.parametrize('order', ['C', 'CN', 'SCN'])
def test_a_convolution_where_there_is_none(name, order):
    message = f'{name} must have no convolution (C), but got {order!r}'
    with pytest.raises(ValueError, match=re.escape(message)):
        Wiring(AddMerge, 'a test', **{name: order})


@pytest.mark.parametrize(
    'name', ['unit', 'last_unit', 'projection', 'identity', 'post']
)
@pytest.mark.parametrize('order', ['cns', 'CC', 'CNX', 'CNSN'])
def test_letters(name, order):
    message = f'order must spell C, N and S at most once each, but got {order!r}'
    with pytest.raises(ValueError, match=message):
        Wiring(AddMerge, 'a test', **{name: order})


@pytest.mark.parametrize('family', FAMILIES)
def test_get_family_by_name(family):
    assert get_family(family) is FAMILIES[family]


def test_get_family_takes_a_row_of_one_s_own():
    wiring = Wiring(AddMerge, 'a test', unit='SCN')
    assert get_family(wiring) is wiring


@pytest.mark.parametrize('family', ['sew-add', 'SEW', '', None, 18])
def test_get_family_of_an_unknown_name(family):
    known = ', '.join(FAMILIES)
    message = f'family must be one of {known}, but got {family!r}'
    with pytest.raises(ValueError, match=re.escape(message)):
        get_family(family)


def test_merge_options_reach_the_merge_of_every_block():
    wiring = replace(FAMILIES['SG-BSG*'], merge_options={'threshold': 0.25})
    stage = make_stage(Bottleneck, 2, 8, 4, 2, wiring, LAYERS['IF'])
    for block in stage:
        assert type(block.merge) is LearnedGateMerge
        assert (block.merge.channels, block.merge.threshold) == (16, 0.25)
    assert FAMILIES['SG-BSG*'].merge_options == {}


def test_merge_options_that_the_merge_does_not_take():
    wiring = Wiring(GateMerge, 'a test', merge_options={'threshold': 0.25})
    with pytest.raises(TypeError, match='threshold'):
        BasicBlock(8, 8, 1, wiring, LAYERS['IF'])


@pytest.mark.parametrize(
    ('wiring', 'values', 'closing', 'identity'),
    [
        (Wiring(AddMerge, '', last_unit='CN', projection='C'), 'analog', '', True),
        (Wiring(AddMerge, '', last_unit='CN', post='NS'), 'binary', '', False),
        (Wiring(AddMerge, '', identity='N'), 'integer', '', False),
        (Wiring(GateMerge, '', densely_additive=True), 'integer', '', False),
        (Wiring(GateMerge, '', 'SNC', 'SCN', 'CN'), 'analog', 'SN', True),
        (Wiring(None, '', 'SCN', 'SCN'), 'analog', 'S', False),
    ],
)
def test_a_row_of_one_s_own_says_what_it_is(wiring, values, closing, identity):
    assert wiring.values == values
    assert wiring.closing == closing
    assert wiring.starts_as_identity == identity


@pytest.mark.parametrize('family', ['SEW-ADD', 'PA-A', 'BAA'])
def test_a_row_is_immutable(family):
    with pytest.raises(AttributeError):
        FAMILIES[family].post = 'S'


def test_plain_blocks_have_nothing_but_their_branch():
    block = Bottleneck(8, 4, 2, FAMILIES['plain'], LAYERS['IF'])
    assert [name for name, _ in block.named_children()] == ['branch']
    assert sum(isinstance(m, nn.Conv2d) for m in block.modules()) == 3
