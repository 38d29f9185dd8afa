"""The wiring table: what its rows say of themselves is true of tensors."""

from dataclasses import replace

import pytest

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

from .by_hand import LAYERS, STEPS, sample


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
def test_rows(family):
    wiring = FAMILIES[family]
    expected = {'PA-A': 'S', 'PA-B': 'NS', 'MS': 'S', 'BAA': ''}
    assert wiring.closing == expected.get(family, wiring.closing)
    # what is analog can become spikes, and nothing else has to
    assert wiring.closing.endswith('S') == (wiring.values == 'analog')
    first = BasicBlock(8, 8, 1, wiring, LAYERS['IF']).branch[0]
    names = ''.join(
        {'conv': 'C', 'norm': 'N', 'neuron': 'S'}[n] for n in first._modules
    )
    if wiring.values == 'analog':
        assert names.partition('C')[0] == wiring.closing
    assert len(wiring.citation.split()) > 3
    assert wiring.advice
    with pytest.raises(AttributeError):
        wiring.post = 'S'


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


def test_merge_options_reach_the_merge_of_every_block():
    wiring = replace(FAMILIES['SG-BSG*'], merge_options={'threshold': 0.25})
    stage = make_stage(Bottleneck, 2, 8, 4, 2, wiring, LAYERS['IF'])
    for block in stage:
        assert type(block.merge) is LearnedGateMerge
        assert (block.merge.channels, block.merge.threshold) == (16, 0.25)
    assert FAMILIES['SG-BSG*'].merge_options == {}
    wiring = Wiring(GateMerge, 'a test', merge_options={'threshold': 0.25})
    with pytest.raises(TypeError, match='threshold'):
        BasicBlock(8, 8, 1, wiring, LAYERS['IF'])


@pytest.mark.parametrize(
    ('wiring', 'values', 'closing', 'identity'),
    [
        (Wiring(AddMerge, '', last_unit='CN', projection='C'), 'analog', '', True),
        (Wiring(AddMerge, '', last_unit='CN', post='NS'), 'binary', '', False),
        (Wiring(AddMerge, '', identity='NS'), 'integer', '', False),
        (Wiring(AddMerge, '', identity='N'), 'analog', '', False),
        (Wiring(AddMerge, '', projection='CN'), 'analog', '', True),
        (Wiring(GateMerge, '', projection='PCN'), 'analog', '', True),
        (Wiring(GateMerge, '', projection='PCNS'), 'binary', '', True),
        (Wiring(None, '', projection='CN'), 'binary', '', False),
        (Wiring(GateMerge, '', densely_additive=True), 'integer', '', False),
        (Wiring(GateMerge, '', 'SNC', 'SCN', 'CN'), 'analog', 'SN', True),
        (Wiring(None, '', 'SCN', 'SCN'), 'analog', 'S', False),
    ],
)
def test_a_row_of_one_s_own_says_what_it_is(wiring, values, closing, identity):
    assert get_family(wiring) is wiring
    assert wiring.values == values
    assert wiring.closing == closing
    assert wiring.starts_as_identity == identity
