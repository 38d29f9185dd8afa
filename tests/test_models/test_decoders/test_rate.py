import pytest
import torch

from mmsnn.models import Rate
from mmsnn.models.decoders import BaseDecoder


def test_rate_is_the_mean_over_time():
    spikes = (torch.rand(4, 2, 16, 5, 7) < 0.4).float()
    decoded = Rate(16, 4)(spikes)
    expected = (spikes[0] + spikes[1] + spikes[2] + spikes[3]) / 4
    torch.testing.assert_close(decoded, expected)
    assert not list(Rate(16, 4).parameters())


def test_a_decoder_without_decode_says_so():
    with pytest.raises(NotImplementedError, match='BaseDecoder defines no decode'):
        BaseDecoder(16, 4)(torch.zeros(4, 2, 16, 5, 5))


@torch.no_grad()
def test_rates_are_exact():
    # 1 / 3 is rounded in bf16
    spikes = (torch.rand(3, 2, 4, 5, 5) < 0.5).float()
    assert torch.equal(Rate(4, 3)(spikes.bfloat16()), spikes.mean(0))
    assert Rate(4, 3)(spikes.double()).dtype == torch.float64
