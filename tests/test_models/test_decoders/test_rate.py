import re

import pytest
import torch

from mmsnn.models import ASD, Rate
from mmsnn.models.decoders import BaseDecoder

DECODERS = {'Rate': lambda: Rate(16, 4), 'ASD': lambda: ASD(16, 4)}


def test_rate_is_the_mean_over_time():
    spikes = (torch.rand(4, 2, 16, 5, 7) < 0.4).float()
    decoded = Rate(16, 4)(spikes)
    expected = (spikes[0] + spikes[1] + spikes[2] + spikes[3]) / 4
    torch.testing.assert_close(decoded, expected)
    assert not list(Rate(16, 4).parameters())


@pytest.mark.parametrize('decoder', DECODERS)
@pytest.mark.parametrize(
    ('shape', 'message'),
    [
        ((2, 2, 16, 5, 5), 'was built for num_steps=4, but its input has 2 time steps'),
        ((8, 2, 16, 5, 5), 'was built for num_steps=4, but its input has 8 time steps'),
        ((4, 2, 32, 5, 5), 'was built for 16 channels, but its input has 32'),
        (
            (8, 16, 5, 5),
            'expects spikes of shape [T, N, C, H, W], but got [8, 16, 5, 5]',
        ),
    ],
)
def test_inputs_that_do_not_fit(decoder, shape, message):
    with pytest.raises(ValueError, match=re.escape(f'{decoder} {message}')):
        DECODERS[decoder]()(torch.zeros(shape))


@pytest.mark.parametrize('kind', [Rate, ASD])
def test_arguments(kind):
    with pytest.raises(ValueError, match='channels must be at least 1, but got 0'):
        kind(0, 4)
    with pytest.raises(ValueError, match='num_steps must be at least 1, but got 0'):
        kind(16, 0)
    with pytest.raises(TypeError, match='num_steps must be an integer, but got 4.0'):
        kind(16, 4.0)


def test_a_decoder_without_decode_says_so():
    with pytest.raises(NotImplementedError, match='BaseDecoder defines no decode'):
        BaseDecoder(16, 4)(torch.zeros(4, 2, 16, 5, 5))


def test_a_device_without_autocast():
    decoder = Rate(8, 2).to('meta')
    decoded = decoder(torch.rand(2, 1, 8, 4, 4, device='meta'))
    assert decoded.device.type == 'meta'
    assert decoded.shape == (1, 8, 4, 4)
