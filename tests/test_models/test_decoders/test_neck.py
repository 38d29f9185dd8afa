import re

import pytest
import torch
from torch import nn

from mmsnn.models import ASD, Rate, SpikeDecoder

from ..helpers import make_backbone, parameters_without_gradient

CHANNELS = (16, 32, 64)


def levels(steps=4, channels=CHANNELS):
    sizes = [(8 // 2**i, 12 // 2**i) for i in range(len(channels))]
    return tuple(
        (torch.rand(steps, 2, c, *size) < 0.4).float()
        for c, size in zip(channels, sizes, strict=True)
    )


def test_rate_is_the_default():
    neck = SpikeDecoder(CHANNELS, 4)
    inputs = levels()
    outputs = neck(inputs)
    assert isinstance(outputs, tuple)
    for spikes, decoded in zip(inputs, outputs, strict=True):
        torch.testing.assert_close(decoded, spikes.mean(0))


def test_one_independent_decoder_a_level():
    neck = SpikeDecoder(list(CHANNELS), 4, {'type': 'ASD', 'channel_reduction': 8})
    assert [type(decoder) for decoder in neck.decoders] == [ASD] * 3
    assert [decoder.channels for decoder in neck.decoders] == list(CHANNELS)
    assert len({id(p) for p in neck.parameters()}) == 3 * 5
    inputs = levels()
    before = neck(inputs)
    for decoder, spikes, decoded in zip(neck.decoders, inputs, before, strict=True):
        assert torch.equal(decoded, decoder(spikes))
    with torch.no_grad():
        for p in neck.decoders[1].parameters():
            p.add_(1.0)
    after = neck(inputs)
    unchanged = [torch.equal(*pair) for pair in zip(before, after, strict=True)]
    assert unchanged == [True, False, True]


@pytest.mark.parametrize('decoder', ['Rate', 'ASD'])
def test_after_a_backbone(decoder):
    backbone = make_backbone(base_channels=16, num_steps=3)
    neck = SpikeDecoder(backbone.out_channels, 3, {'type': decoder})
    features = backbone(torch.randn(2, 3, 65, 97))
    outputs = neck(features)
    for spikes, decoded in zip(features, outputs, strict=True):
        assert decoded.shape == spikes.shape[1:]
    sum((y * torch.randn_like(y)).sum() for y in outputs).backward()
    both = nn.ModuleList([backbone, neck])
    assert parameters_without_gradient(both) == []


def test_a_decoder_by_its_class():
    neck = SpikeDecoder([8], 2, {'type': Rate})
    assert isinstance(neck.decoders[0], Rate)


def test_initialisation_by_config():
    init_cfg = {'type': 'Constant', 'layer': 'Conv2d', 'val': 0}
    neck = SpikeDecoder(CHANNELS, 4, {'type': 'ASD'}, init_cfg=init_cfg)
    neck.init_weights()
    assert not any(p.any() for p in neck.parameters())
    # every attention is then 1/2 and ASD is 1.125 times the rate
    inputs = levels()
    for spikes, decoded in zip(inputs, neck(inputs), strict=True):
        torch.testing.assert_close(decoded, 1.125 * spikes.mean(0))


@pytest.mark.parametrize(
    ('inputs', 'given'),
    [
        (levels()[:2], '2'),
        ((*levels(), levels()[0]), '4'),
        ((), '0'),
        (levels()[0], 'a tensor'),
        # the length of a tensor must not be taken for a number of levels
        (torch.zeros(3, 2, 16, 4, 4), 'a tensor'),
    ],
)
def test_levels_that_do_not_fit(inputs, given):
    message = (
        'SpikeDecoder was built for 3 levels, in_channels=(16, 32, 64), '
        f'but got {given}'
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        SpikeDecoder(CHANNELS, 4)(inputs)


@pytest.mark.parametrize(
    ('options', 'error', 'message'),
    [
        (
            {'in_channels': 64},
            TypeError,
            'in_channels must be a sequence of ints, one a',
        ),
        ({'in_channels': '64'}, TypeError, "one a level, but got '64' (str)"),
        ({'in_channels': ()}, ValueError, 'in_channels must name at least one level'),
        (
            {'in_channels': (64, 0)},
            ValueError,
            'in_channels must be at least 1, but got',
        ),
        (
            {'in_channels': (64.0,)},
            TypeError,
            'in_channels must be an integer, but got',
        ),
        ({'num_steps': 0}, ValueError, 'num_steps must be at least 1, but got 0'),
        ({'num_steps': '4'}, TypeError, "num_steps must be an integer, but got '4'"),
        ({'decoder': 'ASD'}, TypeError, 'decoder must be a dict with a type, but got'),
        (
            {'decoder': {'type': 'Attention'}},
            ValueError,
            'decoder type must be one of Rate, ASD, or a registered type with its '
            "scope, but got 'Attention'",
        ),
        (
            {'decoder': {'type': 'ASD', 'num_steps': 4}},
            ValueError,
            'decoder config must not set num_steps: the network does',
        ),
        (
            {'decoder': {'type': 'Rate', 'channels': 3, 'num_steps': 4}},
            ValueError,
            'decoder config must not set channels, num_steps: the network does',
        ),
        ({'decoder': {'type': 'ASD', 'r': 16}}, TypeError, "keyword argument 'r'"),
        (
            {'decoder': {'type': 'ASD', 'channel_reduction': 32}},
            ValueError,
            'channel_reduction must be at most 16',
        ),
    ],
)
def test_mistakes(options, error, message):
    with pytest.raises(error, match=re.escape(message)):
        SpikeDecoder(**{'in_channels': CHANNELS, 'num_steps': 4, **options})
