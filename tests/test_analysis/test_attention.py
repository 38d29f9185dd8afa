"""Attention weights of one image."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mmsnn.analysis.recorders.attention_recorder import (
    QUANTILES,
    AttentionCapture,
    has_attention,
)
from mmsnn.models import MSResNet, SGResNet, SpikeDecoder

NUM_STEPS = 3


class Decoded(nn.Module):
    """A backbone and attention spike decoders at two levels."""

    def __init__(self, num_steps: int = NUM_STEPS, **decoder: object) -> None:
        super().__init__()
        self.backbone = SGResNet(
            10, base_channels=8, num_steps=num_steps, out_indices=(1, 2)
        )
        options = dict(type='ASD', channel_reduction=4, **decoder)
        self.neck = SpikeDecoder([16, 32], num_steps, options)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Return the decoded features."""
        return self.neck(self.backbone(image))


def test_decoders() -> None:
    model = Decoded().eval()
    batch = 3 * torch.randn(2, 3, 64, 48)
    with AttentionCapture(model, image=1) as capture, torch.no_grad():
        decoded = model(batch)
    found = capture.result()
    assert found.image.values.tolist() == batch[1].tolist()
    assert found.gates == ()
    assert [one.name for one in found.decoders] == [
        'neck.decoders.0',
        'neck.decoders.1',
    ]
    with torch.no_grad():
        levels = model.backbone(batch)
    for one, spikes, features in zip(found.decoders, levels, decoded, strict=True):
        # the decoder's equation, with what was captured
        spikes = spikes[:, 1].numpy()
        rate = spikes.mean(0)
        x = (spikes * one.temporal[:, None, None, None]).mean(0)
        x = x * one.channel[:, None, None]
        assert one.spatial.shape == spikes.shape[2:]
        np.testing.assert_allclose(
            one.spatial * x + rate, features[1].numpy(), atol=1e-6
        )


def test_single_step_and_place() -> None:
    """Nothing loses its only dimension."""
    model = Decoded(num_steps=1).eval()
    with AttentionCapture(model) as capture, torch.no_grad():
        model(torch.randn(1, 3, 16, 16))
    one = capture.result().decoders[1]
    assert one.temporal.shape == (1,)
    assert one.channel.shape == (32,)
    assert one.spatial.shape == (1, 1)


@pytest.mark.parametrize('frames', [False, True])
@pytest.mark.parametrize('spatial_channel', [False, True])
def test_gated_stem(frames: bool, spatial_channel: bool) -> None:
    stem = dict(type='GatedAttentionStem', spatial_channel=spatial_channel)
    model = MSResNet(10, base_channels=4, num_steps=NUM_STEPS, stem=stem).eval()
    shape = (2, NUM_STEPS, 3, 32, 32) if frames else (2, 3, 32, 32)
    batch = torch.randn(shape)
    with AttentionCapture(model, image=1) as capture, torch.no_grad():
        model(batch)
    (found,) = capture.result().gates
    assert found.name == 'stem'
    with torch.no_grad():
        currents = model.stem.currents(batch)
        steps = NUM_STEPS if frames else 1
        scores = model.stem.temporal(currents.unflatten(0, (steps, -1)))
        gate = model.stem.gate(currents, steps)
    assert found.temporal == pytest.approx(scores[:, 1].flatten().numpy())
    gate = gate[:, 1].flatten(1).numpy()
    assert found.gate_mean == pytest.approx(gate.mean(1), rel=1e-5)
    expected = np.quantile(gate, QUANTILES, axis=1).T
    np.testing.assert_allclose(found.gate_quantiles, expected, rtol=1e-5)


def test_without_attention() -> None:
    stem = dict(type='GatedAttentionStem', temporal=False)
    assert not has_attention(MSResNet(10, base_channels=4, num_steps=2, stem=stem))
