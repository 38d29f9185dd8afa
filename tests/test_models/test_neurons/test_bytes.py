"""Spikes in bytes are the spikes."""

import pytest
import torch

from mmsnn.models.neurons import IF, LIF, PLIF
from mmsnn.ops import native

NEURONS = [
    IF(3),
    LIF(3, v_reset=None),
    LIF(3, decay_input=False),
    PLIF(3, v_threshold=0.5, v_reset=-0.2),
]


@pytest.mark.parametrize('neuron', NEURONS)
@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize('compiled', [True, False])
def test_spikes_in_bytes_are_the_spikes(neuron, dtype, compiled, monkeypatch):
    if not compiled:
        monkeypatch.setattr(native, 'library', lambda: None)
    x = (torch.randn(6, 5, 7, 9) + 0.5).to(dtype, memory_format=torch.channels_last)
    expected = neuron(x)
    monkeypatch.setattr(neuron, 'in_bytes', True)
    spikes = neuron(x)
    assert spikes.dtype == torch.uint8
    assert not spikes.requires_grad
    assert torch.equal(spikes.to(dtype), expected)
    assert 0 < expected.float().mean() < 1
    assert spikes.is_contiguous(memory_format=torch.channels_last)
