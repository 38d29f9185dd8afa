"""Sizes, levels and attention of spike-driven Transformers, and mistakes in them."""

import pytest
import torch

from mmsnn.models import ESpikeFormer, MetaSpikeFormer
from mmsnn.models.layers import LayerFactory, RepConv, SpikeDrivenAttention

from ..helpers import count_parameters
from .networks import CHANNELS, KINDS, make
from .reference import Reference

LAYERS = LayerFactory(1, {'type': 'IF'}, {'type': 'BN'})
# of the backbone, and with a classifier of 1000 classes, as published
SIZES = {
    (MetaSpikeFormer, '15M'): (14_751_208, 15.11),
    (MetaSpikeFormer, '31M'): (30_852_864, 31.33),
    (MetaSpikeFormer, '55M'): (54_709_248, 55.35),
    (ESpikeFormer, '5M'): (4_912_608, 5.11),
    (ESpikeFormer, '10M'): (9_782_112, 10.02),
    (ESpikeFormer, '19M'): (18_626_504, 18.99),
}


@pytest.mark.parametrize(('entry', 'size'), SIZES)
def test_parameters(entry, size):
    with torch.device('meta'):
        backbone = entry(size)
        theirs = Reference(entry.sizes[size], 1, v3=entry is ESpikeFormer)
    exact, millions = SIZES[entry, size]
    assert count_parameters(backbone) == exact
    assert count_parameters(theirs) - count_parameters(theirs.head) == exact
    width = backbone.out_channels[-1]
    assert round((exact + 1000 * width + 1000) / 1e6, 2) == millions
    assert {s for e, s in SIZES if e is entry} == set(entry.sizes)


@pytest.mark.parametrize('out_indices', [(3,), (1, 2), (0,)])
@pytest.mark.parametrize('kind', KINDS)
def test_levels(kind, out_indices):
    every = make(kind).eval()
    entry, options = KINDS[kind]
    some = entry(CHANNELS, num_heads=2, out_indices=out_indices, **options).eval()
    assert len(some.stages) == out_indices[-1] + 1
    state = every.state_dict()
    some.load_state_dict({name: state[name] for name in some.state_dict()})
    image = torch.randn(2, 3, 64, 48)
    with torch.no_grad():
        levels, expected = some(image), every(image)
    assert [level.shape[-1] for level in expected] == [12, 6, 3, 3]
    for index, level in zip(out_indices, levels, strict=True):
        assert level.any()
        assert torch.equal(level, expected[index])
    spikes = 'integer' if kind == 'V3' else 'binary'
    assert (some.values, some.out_values) == ('analog', spikes)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_products_are_exact_in_half_precision(dtype):
    """300 positions are more than bf16 can count, 70000 more than fp16 can hold."""
    attention = SpikeDrivenAttention(16, 2, LAYERS, scale=1 / 1024)
    positions = 301 if dtype is torch.bfloat16 else 70000
    spikes = torch.ones(1, 16, positions, 1, dtype=dtype)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        y = attention.mix(spikes, spikes, spikes)
    assert y.dtype == dtype
    expected = torch.tensor(8 * positions / 1024, dtype=dtype)
    assert (y == expected).all()


def test_uint8_spikes_do_not_overflow():
    attention = SpikeDrivenAttention(16, 2, LAYERS, scale=1.0)
    q, k, v = (torch.rand(3, 2, 16, 20, 20) < 0.9).to(torch.uint8)
    expected = attention.mix(q.double(), k.double(), v.double())
    assert expected.max() > 255
    assert torch.equal(attention.mix(q, k, v).double(), expected)


@pytest.mark.parametrize(
    ('options', 'error', 'message'),
    [
        ({'channels': '20M'}, ValueError, "channels must be .*15M.* but got '20M'"),
        ({'channels': (8, 16, 16)}, ValueError, 'channels must have 4 entries'),
        ({'channels': 64}, TypeError, 'channels'),
        ({'channels': (9, 16, 16, 16)}, ValueError, r'channels\[0\] must be even'),
        ({'channels': (8, 16, 20, 16)}, ValueError, r'channels\[2\] .* num_heads=8'),
        ({'channels': (8, 16, 16, 0)}, ValueError, 'channels must be .* got 0'),
        ({'num_heads': 0}, ValueError, 'num_heads must be .* got 0'),
        ({'neuron': {'type': 'ILIF'}}, TypeError, "take v_threshold.* LIF .*'ILIF'"),
        ({'norm_cfg': {'type': 'IN'}}, TypeError, 'RepConv needs affine batch norms'),
    ],
)
def test_mistakes(options, error, message):
    with pytest.raises(error, match=message):
        MetaSpikeFormer(**{'channels': (8, 16, 16, 16), **options})


def test_mistakes_in_layers():
    with pytest.raises(ValueError, match='multiple of num_heads=3, but got 8'):
        SpikeDrivenAttention(8, 3, LAYERS)
    with pytest.raises(ValueError, match='value_ratio must be 1 .* but got 4'):
        SpikeDrivenAttention(8, 2, LAYERS, value_ratio=4, rep_convs=True)
    with pytest.raises(ValueError, match='training=True'):
        RepConv(8, LAYERS).merged()
