import pytest
import torch
from torch import nn

from mmsnn.models.layers import LayerFactory
from mmsnn.models.neurons import IF
from mmsnn.models.stems import DirectStem, build_stem

STEPS = 4
LAYERS = LayerFactory(STEPS, {'type': 'IF'}, {'type': 'BN'})
OWN = {'type': 'DirectStem', 'kernel_size': 5, 'stride': 2, 'pool': False}
# of an image of 65 x 97
SIZES = [
    ('imagenet', (17, 25)),
    ('cifar', (65, 97)),
    ('ms', (33, 49)),
    ('ms104', (33, 49)),
    (OWN, (33, 49)),
]
SPIKING = pytest.mark.parametrize('spiking', [True, False])


def by_hand(stem, folded):
    """Return what the stem makes of images that are folded over time already."""
    x = stem.encode(stem.lead(folded))
    if stem.neuron is not None:
        x = IF(STEPS)(x)
    return x if stem.pool is None else stem.pool(x)


@SPIKING
@pytest.mark.parametrize(('cfg', 'size'), SIZES)
def test_equals_the_repeated_image(cfg, size, spiking):
    """Outputs, and the gradient of the convolution, which sums over time."""
    # double precision: rounding must not decide whether a neuron fires
    stem = build_stem(cfg, 3, 8, LAYERS, spiking).double().train()
    image = torch.randn(2, 3, 65, 97, dtype=torch.float64)
    out, expected = stem(image), by_hand(stem, image.repeat(STEPS, 1, 1, 1))
    assert out.shape == (STEPS * 2, 8, *size)
    torch.testing.assert_close(out, expected)
    weight, upstream = stem.encode.conv.weight, torch.randn_like(out)
    grads = [torch.autograd.grad((y * upstream).sum(), weight) for y in (out, expected)]
    assert grads[0][0].any()
    torch.testing.assert_close(*grads)
    repeated = image.unsqueeze(1).repeat(1, STEPS, 1, 1, 1)
    torch.testing.assert_close(stem(repeated), out)
    assert any(isinstance(m, IF) for m in stem.modules()) == spiking
    if spiking:
        assert out.unique().tolist() == [0, 1]
    else:
        assert not torch.equal(out, out.round())
        assert torch.equal(out, out[:2].repeat(STEPS, 1, 1, 1))


@SPIKING
@pytest.mark.parametrize('cfg', [cfg for cfg, _ in SIZES])
def test_each_frame_has_its_step(cfg, spiking):
    stem = build_stem(cfg, 2, 8, LAYERS, spiking).double().train()
    frames = torch.randn(2, STEPS, 2, 33, 20, dtype=torch.float64)
    folded = torch.cat([frames[:, step] for step in range(STEPS)])
    torch.testing.assert_close(stem(frames), by_hand(stem, folded))


def test_currents_are_integrated():
    stem = DirectStem(1, 1, LAYERS, kernel_size=1, stride=1, pool=False).eval()
    nn.init.ones_(stem.encode.conv.weight)
    frames = torch.tensor([[0.6, 0.0, 0.6, 0.6], [0.0, 1.2, 0.6, 0.0]])
    spikes = stem(frames.view(2, STEPS, 1, 1, 1)).view(STEPS, 2)
    assert spikes.T.tolist() == [[0, 0, 1, 0], [0, 1, 0, 0]]
    # the current of an image fires at every other step
    assert stem(torch.full((1, 1, 1, 1), 0.6)).flatten().tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize('preset', ['imagenet', 'cifar', 'ms', 'ms104'])
def test_convolutions_of_presets(preset):
    stem = build_stem(preset, 3, 8, LAYERS)
    if preset == 'ms104':
        convolutions = [m for m in stem.modules() if isinstance(m, nn.Conv2d)]
        # only the last has a norm, which makes a bias needless
        assert [
            (
                m.in_channels,
                m.out_channels,
                m.kernel_size[0],
                m.stride[0],
                m.bias is None,
            )
            for m in convolutions
        ] == [(3, 8, 3, 2, False), (8, 8, 3, 1, False), (8, 8, 3, 1, True)]
        assert convolutions[-1] is stem.encode.conv
        assert sum(isinstance(m, nn.BatchNorm2d) for m in stem.modules()) == 1
    else:
        names = [name for name, _ in stem.named_parameters()]
        assert names == ['encode.conv.weight', 'encode.norm.weight', 'encode.norm.bias']
