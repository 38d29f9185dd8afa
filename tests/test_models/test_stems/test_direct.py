import pytest
import torch
from torch import nn

from mmsnn.models.layers import LayerFactory
from mmsnn.models.neurons import IF
from mmsnn.models.stems import DirectStem, build_stem

STEPS = 4
LAYERS = LayerFactory(STEPS, {'type': 'IF'}, {'type': 'BN'})
# of an image of 65 x 97
SIZES = {'imagenet': (17, 25), 'cifar': (65, 97), 'ms': (33, 49), 'ms104': (33, 49)}


def frames_of(*shape, **options):
    return torch.randn(2, STEPS, *shape, **options)


@pytest.mark.parametrize('frames', [False, True])
@pytest.mark.parametrize(('preset', 'size'), SIZES.items())
def test_presets(preset, size, frames):
    stem = build_stem(preset, 3, 8, LAYERS)
    spikes = stem(torch.randn(2, *([STEPS] if frames else []), 3, 65, 97))
    assert spikes.shape == (STEPS * 2, 8, *size)
    assert spikes.unique().tolist() == [0, 1]


def by_hand(stem, folded):
    """Return what the stem makes of images that are folded over time already."""
    x = stem.encode(stem.lead(folded))
    if stem.neuron is not None:
        x = IF(STEPS)(x)
    return x if stem.pool is None else stem.pool(x)


@pytest.mark.parametrize('spiking', [True, False])
@pytest.mark.parametrize('preset', SIZES)
def test_equals_the_repeated_image(preset, spiking):
    # double precision: rounding must not decide whether a neuron fires
    stem = build_stem(preset, 3, 8, LAYERS, spiking).double().train()
    image = torch.randn(2, 3, 33, 20, dtype=torch.float64)
    out = stem(image)
    torch.testing.assert_close(out, by_hand(stem, image.repeat(STEPS, 1, 1, 1)))
    repeated = image.unsqueeze(1).repeat(1, STEPS, 1, 1, 1)
    torch.testing.assert_close(stem(repeated), out)


@pytest.mark.parametrize('spiking', [True, False])
@pytest.mark.parametrize('preset', SIZES)
def test_each_frame_has_its_step(preset, spiking):
    stem = build_stem(preset, 2, 8, LAYERS, spiking).double().train()
    frames = frames_of(2, 33, 20, dtype=torch.float64)
    folded = torch.cat([frames[:, step] for step in range(STEPS)])
    torch.testing.assert_close(stem(frames), by_hand(stem, folded))


def test_frames_are_integrated():
    stem = DirectStem(1, 1, LAYERS, kernel_size=1, stride=1, pool=False).eval()
    nn.init.ones_(stem.encode.conv.weight)
    currents = torch.tensor([[0.6, 0.0, 0.6, 0.6], [0.0, 1.2, 0.6, 0.0]])
    spikes = stem(currents.view(2, STEPS, 1, 1, 1)).view(STEPS, 2)
    assert spikes.T.tolist() == [[0, 0, 1, 0], [0, 1, 0, 0]]


@pytest.mark.parametrize('preset', SIZES)
def test_without_neurons_it_is_analog_and_constant(preset):
    stem = build_stem(preset, 3, 8, LAYERS, spiking=False)
    assert not any(isinstance(m, IF) for m in stem.modules())
    x = stem(torch.randn(2, 3, 65, 97)).unflatten(0, (STEPS, 2))
    assert x.shape == (STEPS, 2, 8, *SIZES[preset])
    assert not torch.equal(x, x.round())
    assert all(torch.equal(x[0], step) for step in x)


def test_convolutions_of_a_deeper_stem():
    stem = build_stem('ms104', 3, 8, LAYERS)
    convolutions = [m for m in stem.modules() if isinstance(m, nn.Conv2d)]
    # only the last has a norm, which makes a bias needless
    assert [
        (m.in_channels, m.out_channels, m.kernel_size[0], m.stride[0], m.bias is None)
        for m in convolutions
    ] == [(3, 8, 3, 2, False), (8, 8, 3, 1, False), (8, 8, 3, 1, True)]
    assert convolutions[-1] is stem.encode.conv
    assert sum(isinstance(m, nn.BatchNorm2d) for m in stem.modules()) == 1


def test_one_convolution_has_no_lead():
    for preset in ('imagenet', 'cifar', 'ms'):
        names = [n for n, _ in build_stem(preset, 3, 8, LAYERS).named_parameters()]
        assert names == ['encode.conv.weight', 'encode.norm.weight', 'encode.norm.bias']


def test_steps_differ():
    # a current of 0.6 fires at every other step
    stem = DirectStem(1, 1, LAYERS, kernel_size=1, stride=1, pool=False).eval()
    nn.init.ones_(stem.encode.conv.weight)
    spikes = stem(torch.full((1, 1, 2, 2), 0.6))
    assert spikes[:, 0, 0, 0].tolist() == [0, 1, 0, 1]


def test_gradient_sums_over_time():
    stem = build_stem('cifar', 3, 8, LAYERS).double()
    image = torch.randn(2, 3, 9, 9, dtype=torch.float64)
    weight = torch.randn(STEPS * 2, 8, 9, 9, dtype=torch.float64)
    conv = stem.encode.conv.weight
    (grad,) = torch.autograd.grad((stem(image) * weight).sum(), conv)
    spikes = IF(STEPS)(stem.encode(image.repeat(STEPS, 1, 1, 1)))
    (expected,) = torch.autograd.grad((spikes * weight).sum(), conv)
    assert grad.any()
    torch.testing.assert_close(grad, expected)


def test_a_stem_of_ones_own_sizes():
    cfg = {'type': 'DirectStem', 'kernel_size': 5, 'stride': 2, 'pool': False}
    stem = build_stem(cfg, 1, 8, LAYERS)
    assert stem(torch.randn(2, 1, 32, 32)).shape == (STEPS * 2, 8, 16, 16)
