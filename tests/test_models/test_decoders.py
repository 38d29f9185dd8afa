"""Decoders against their equations (SG paper, Section 3.4), and the neck of them."""

import pytest
import torch
from torch.nn import functional as F

from mmsnn.models import ASD, Rate, SpikeDecoder
from mmsnn.models.decoders import BaseDecoder

from .helpers import count_parameters

CHANNELS = (16, 32, 64)


def spikes(steps, channels, size=(9, 6), count=3):
    return (torch.rand(steps, count, channels, *size) < 0.4).float()


@torch.no_grad()
def test_rate_is_the_mean_over_time():
    assert not list(Rate(16, 4).parameters())
    x = spikes(3, 4)
    expected = (x[0] + x[1] + x[2]) / 3
    torch.testing.assert_close(Rate(4, 3)(x), expected)
    # 1 / 3 is rounded in bf16
    assert torch.equal(Rate(4, 3)(x.bfloat16()), x.mean(0))
    assert Rate(4, 3)(x.double()).dtype == torch.float64


def test_a_decoder_without_decode_says_so():
    with pytest.raises(NotImplementedError, match='BaseDecoder defines no decode'):
        BaseDecoder(16, 4)(torch.zeros(4, 2, 16, 5, 5))


def reference(x, weights):
    """Section 3.4, by sums and products on ``[T, N, C, H, W]``.

    ``weights`` are those of the temporal MLP, the channel MLP and the convolution.
    """
    t1, t2, c1, c2, conv = weights
    # temporal attention: one number per time step, squeezed and excited
    salience = x.mean((2, 3, 4)).T  # [N, T]
    temporal = torch.sigmoid(torch.relu(salience @ t1.T) @ t2.T)  # [N, T]
    x_t = torch.einsum('tnchw,nt->nchw', x, temporal) / len(x)

    # channel attention, CBAM
    def mlp(pooled):
        return torch.relu(pooled @ c1.T) @ c2.T

    channel = torch.sigmoid(mlp(x_t.mean((2, 3))) + mlp(x_t.flatten(2).max(2).values))
    x_tc = torch.einsum('nchw,nc->nchw', x_t, channel)
    # spatial attention, CBAM
    pooled = torch.stack([x_tc.mean(1), x_tc.max(1).values], 1)
    spatial = torch.sigmoid(F.conv2d(pooled, conv, padding=conv.shape[-1] // 2))
    # the rate-coded feature as a skip connection
    return x_tc * spatial + x.sum(0) / len(x)


@pytest.mark.parametrize('steps', [1, 2, 4])
@pytest.mark.parametrize(
    'options',
    [
        {},
        {'channel_reduction': 4, 'kernel_size': 3},
        {'channel_reduction': 1, 'kernel_size': 1},
        {'temporal_reduction': 2},
    ],
)
def test_asd_equals_the_equations(steps, options):
    reduction = options.get('temporal_reduction', 1)
    if reduction > steps:
        with pytest.raises(ValueError, match='temporal_reduction must be at most 1'):
            ASD(32, steps, **options)
        return
    decoder = ASD(32, steps, **options).double()
    mlp = [decoder.temporal.mlp[i].weight.shape for i in (0, 2)]
    hidden = steps // reduction
    assert mlp == [(hidden, steps, 1, 1), (steps, hidden, 1, 1)]
    weights = [p.flatten(1) if p.shape[-1] == 1 else p for p in decoder.parameters()]
    weights[-1] = decoder.spatial.conv.weight
    x = spikes(steps, 32).double()
    torch.testing.assert_close(decoder(x), reference(x, weights))
    if steps == 4:  # which are told apart
        assert not torch.allclose(decoder(x), decoder(x.flip(0)))


def test_number_of_parameters_is_the_papers():
    # temporal 2 * T * T, channel 2 * C * C / 16, spatial 2 * 7 * 7
    parameters = count_parameters(ASD(512, 4))
    assert parameters == 2 * 4 * 4 + 2 * 512 * 32 + 2 * 49
    assert round(parameters / 1e6, 3) == 0.033


# The neck ----------------------------------------------------------------------------


def levels(steps=4):
    return tuple(
        spikes(steps, c, (8 // 2**i, 12 // 2**i)) for i, c in enumerate(CHANNELS)
    )


def test_rate_is_the_default():
    inputs = levels()
    outputs = SpikeDecoder(CHANNELS, 4)(inputs)
    assert isinstance(outputs, tuple)
    for given, decoded in zip(inputs, outputs, strict=True):
        torch.testing.assert_close(decoded, given.mean(0))
    neck = SpikeDecoder([8], 2, {'type': Rate})  # by its class
    assert isinstance(neck.decoders[0], Rate)


def test_one_independent_decoder_per_level():
    neck = SpikeDecoder(list(CHANNELS), 4, {'type': 'ASD', 'channel_reduction': 8})
    assert [type(decoder) for decoder in neck.decoders] == [ASD] * 3
    assert [decoder.channels for decoder in neck.decoders] == list(CHANNELS)
    assert len({id(p) for p in neck.parameters()}) == 3 * 5
    inputs = levels()
    before = neck(inputs)
    for decoder, given, decoded in zip(neck.decoders, inputs, before, strict=True):
        assert torch.equal(decoded, decoder(given))
    with torch.no_grad():
        for p in neck.decoders[1].parameters():
            p.add_(1.0)
    assert list(map(torch.equal, before, neck(inputs))) == [True, False, True]


def test_initialisation_by_config():
    init_cfg = {'type': 'Constant', 'layer': 'Conv2d', 'val': 0}
    neck = SpikeDecoder(CHANNELS, 4, {'type': 'ASD'}, init_cfg=init_cfg)
    neck.init_weights()
    assert not any(p.any() for p in neck.parameters())
    # every attention is then 1/2 and ASD is 1.125 times the rate
    inputs = levels()
    for given, decoded in zip(inputs, neck(inputs), strict=True):
        torch.testing.assert_close(decoded, 1.125 * given.mean(0))


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
    message = rf'3 levels, in_channels=\(16, 32, 64\), but got {given}'
    with pytest.raises(ValueError, match=message):
        SpikeDecoder(CHANNELS, 4)(inputs)
