"""What every registered decoder keeps to."""

import copy

import pytest
import torch
from test_models.helpers import parameters_without_gradient
from test_models.test_backbones.fake_backward import fake_gradients
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from mmsnn.models import SpikeDecoder

from .parts import CHANNELS, DECODERS, make_decoder

STEPS = 4
EVERY = pytest.mark.parametrize('name', DECODERS)


def spikes(count: int = 3, dtype: torch.dtype = torch.float32) -> Tensor:
    return (torch.rand(STEPS, count, CHANNELS, 9, 6) < 0.4).to(dtype)


@EVERY
def test_features_and_gradients(name: str) -> None:
    decoder, x = make_decoder(name), spikes().requires_grad_()
    features = decoder(x)
    assert features.shape == x.shape[1:]
    (features * torch.randn_like(features)).sum().backward()
    assert parameters_without_gradient(decoder) == []
    assert x.grad.all()
    for part in decoder.attention_parts:
        assert isinstance(getattr(decoder, part), nn.Module)


@EVERY
def test_calls_copies_and_samples_are_independent(name: str) -> None:
    decoder, x = make_decoder(name).double(), spikes(dtype=torch.float64)
    together = decoder(x)
    decoder(spikes(2))
    assert torch.equal(decoder(x), together)
    other = make_decoder(name).double()
    other.load_state_dict(copy.deepcopy(decoder.state_dict()), strict=True)
    assert torch.equal(other(x), together)
    for i in range(3):
        torch.testing.assert_close(decoder(x[:, i : i + 1]), together[i : i + 1])


@EVERY
def test_precision(name: str) -> None:
    """Spikes in bf16 are decoded in fp32, unless the decoder is cast."""
    decoder, x = make_decoder(name), spikes()
    expected = decoder(x)
    assert torch.equal(decoder(x.bfloat16()), expected)
    with torch.autocast('cpu', torch.bfloat16):
        for given in (x, x.bfloat16()):
            torch.testing.assert_close(
                decoder(given).float(), expected, atol=0.02, rtol=0.02
            )
    assert decoder.bfloat16()(x.bfloat16()).dtype == torch.bfloat16


@EVERY
def test_devices(name: str) -> None:
    """Meta, which has no autocast, and fake CUDA tensors."""
    decoded = make_decoder(name).to('meta')(spikes().to('meta'))
    assert (decoded.device.type, decoded.shape) == ('meta', (3, CHANNELS, 9, 6))
    with FakeTensorMode(), torch.device('cuda'):
        decoder = make_decoder(name)
        x = torch.rand(STEPS, 2, CHANNELS, 5, 5, requires_grad=True)
        leaves = fake_gradients([decoder(x)])
    assert {grad.device.type for grad in leaves.values()} == {'cuda'}


@EVERY
def test_compiled_and_exported(name: str) -> None:
    torch._dynamo.reset()
    decoder, x = make_decoder(name), spikes()
    compiled = torch.compile(decoder, backend='aot_eager', fullgraph=True)
    torch.testing.assert_close(compiled(x), decoder(x))
    program = torch.export.export(decoder, (spikes(),)).module()
    torch.testing.assert_close(program(x), decoder(x))
    torch._dynamo.reset()


@EVERY
@pytest.mark.parametrize(
    ('shape', 'message'),
    [
        ((2, 2, CHANNELS, 5, 5), 'num_steps=4.* 2 time steps'),
        ((8, 2, CHANNELS, 5, 5), 'num_steps=4.* 8 time steps'),
        ((STEPS, 2, 32, 5, 5), '16 channels.* 32'),
        ((8, CHANNELS, 5, 5), r'\[T, N, C, H, W\].*\[8, 16, 5, 5\]'),
    ],
)
def test_inputs_that_do_not_fit(
    name: str, shape: tuple[int, ...], message: str
) -> None:
    for decoder in (
        make_decoder(name),
        lambda x: SpikeDecoder([CHANNELS], STEPS, {'type': name})([x]),
    ):
        with pytest.raises(ValueError, match=f'{name} .*{message}'):
            decoder(torch.zeros(shape))
