"""The attention spike decoder against its equations (SG paper, Section 3.4)."""

import pytest
import torch
from torch.nn import functional as F

from mmsnn.models import ASD

from ..helpers import count_parameters


def reference(x, weights):
    """Section 3.4, by sums and products on ``[T, N, C, H, W]``.

    ``weights`` are those of the temporal MLP, the channel MLP and the convolution.
    """
    t1, t2, c1, c2, conv = weights
    # temporal attention: one number a time step, squeezed and excited
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
    ],
)
def test_equals_the_equations(steps, options):
    decoder = ASD(32, steps, **options).double()
    weights = [p.flatten(1) if p.shape[-1] == 1 else p for p in decoder.parameters()]
    if options.get('kernel_size') == 1:
        weights[-1] = decoder.spatial.conv.weight
    x = (torch.rand(steps, 3, 32, 9, 6) < 0.4).double()
    torch.testing.assert_close(decoder(x), reference(x, weights))


def test_temporal_reduction():
    decoder = ASD(32, 4, temporal_reduction=2).double()
    assert decoder.temporal.mlp[0].weight.shape == (2, 4, 1, 1)
    assert decoder.temporal.mlp[2].weight.shape == (4, 2, 1, 1)
    weights = [p.flatten(1) if p.shape[-1] == 1 else p for p in decoder.parameters()]
    x = (torch.rand(4, 3, 32, 9, 6) < 0.4).double()
    torch.testing.assert_close(decoder(x), reference(x, weights))


def test_time_steps_are_told_apart():
    decoder = ASD(32, 4)
    x = (torch.rand(4, 3, 32, 9, 6) < torch.rand(4, 1, 1, 1, 1)).float()
    backwards = x.flip(0)
    assert not torch.allclose(decoder(x), decoder(backwards))


def test_number_of_parameters_is_the_papers():
    # temporal 2 * T * T, channel 2 * C * C / 16, spatial 2 * 7 * 7
    parameters = count_parameters(ASD(512, 4))
    assert parameters == 2 * 4 * 4 + 2 * 512 * 32 + 2 * 49
    assert round(parameters / 1e6, 3) == 0.033
