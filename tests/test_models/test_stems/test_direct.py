import re

import pytest
import torch
from torch import nn

from mmsnn.models.layers import LayerFactory
from mmsnn.models.neurons import IF
from mmsnn.models.stems import DirectStem, build_stem

STEPS = 4
LAYERS = LayerFactory(STEPS, {'type': 'IF'}, {'type': 'BN'})


@pytest.mark.parametrize(
    ('preset', 'size'), [('imagenet', (17, 25)), ('cifar', (65, 97))]
)
def test_presets(preset, size):
    stem = build_stem(preset, 3, 8, LAYERS)
    spikes = stem(torch.randn(2, 3, 65, 97))
    assert spikes.shape == (STEPS * 2, 8, *size)
    assert spikes.unique().tolist() == [0, 1]


def test_convolution_runs_once_an_image():
    stem = build_stem('imagenet', 3, 8, LAYERS)
    batches = []
    stem.encode.register_forward_hook(lambda _, __, y: batches.append(len(y)))
    stem(torch.randn(2, 3, 32, 32))
    assert batches == [2]


@pytest.mark.parametrize('preset', ['imagenet', 'cifar'])
def test_equals_the_repeated_image(preset):
    # double precision: rounding must not decide whether a neuron fires
    stem = build_stem(preset, 3, 8, LAYERS).double().train()
    image = torch.randn(2, 3, 33, 20, dtype=torch.float64)
    repeated = image.repeat(STEPS, 1, 1, 1)
    spikes = IF(STEPS)(stem.encode(repeated))
    expected = spikes if stem.pool is None else stem.pool(spikes)
    assert torch.equal(stem(image), expected)


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


def test_the_output_is_channels_last():
    for preset in ('imagenet', 'cifar'):
        spikes = build_stem(preset, 3, 8, LAYERS)(torch.randn(2, 3, 32, 32))
        assert spikes.is_contiguous(memory_format=torch.channels_last)


def test_a_stem_of_ones_own_sizes():
    cfg = {'type': 'DirectStem', 'kernel_size': 5, 'stride': 2, 'pool': False}
    stem = build_stem(cfg, 1, 8, LAYERS)
    assert stem(torch.randn(2, 1, 32, 32)).shape == (STEPS * 2, 8, 16, 16)


@pytest.mark.parametrize(
    ('cfg', 'error', 'message'),
    [
        (
            'cifar10',
            ValueError,
            "stem must be one of imagenet, cifar, but got 'cifar10'",
        ),
        (7, TypeError, 'stem must be one of imagenet, cifar or a dict with a type'),
        (None, TypeError, 'or a dict with a type, but got None (NoneType)'),
        ({'kernel_size': 3}, TypeError, 'stem must be a dict with a type, but got'),
        ({'type': 'Direct'}, ValueError, 'stem type must be one of DirectStem, or a'),
        (
            {'type': 'DirectStem', 'out_channels': 8},
            ValueError,
            'stem config must not set out_channels: the network does',
        ),
        (
            {'type': 'DirectStem', 'kernel_size': 0},
            ValueError,
            'stem kernel_size must be at least 1, but got 0',
        ),
        (
            {'type': 'DirectStem', 'stride': 1.5},
            TypeError,
            'stem stride must be an integer, but got 1.5 (float)',
        ),
        ({'type': 'DirectStem', 'pol': True}, TypeError, "keyword argument 'pol'"),
    ],
)
def test_mistakes(cfg, error, message):
    with pytest.raises(error, match=re.escape(message)):
        build_stem(cfg, 3, 8, LAYERS)
