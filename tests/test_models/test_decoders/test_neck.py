import re

import pytest
import torch

from mmsnn.models import ASD, Rate, SpikeDecoder

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
