import copy
import math
import re

import pytest
import torch
from spikingjelly.activation_based.encoding import (
    LatencyEncoder,
    WeightedPhaseEncoder,
)
from torch.fx.experimental.proxy_tensor import make_fx

from mmsnn.models.layers import LayerFactory
from mmsnn.models.stems import build_stem

from ..helpers import calibrate

STEPS = 8
CODINGS = ['RateStem', 'LatencyStem', 'PhaseStem']
MEAN, STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
LEVELS = torch.arange(256.0).view(1, 1, 16, 16)


def make(coding, steps=STEPS, channels=3, spiking=True, **options):
    layers = LayerFactory(steps, {'type': 'IF'}, {'type': 'BN'})
    small = {'kernel_size': 3, 'stride': 1, 'pool': False}
    cfg = {'type': coding, **small, **options}
    return build_stem(cfg, channels, 8, layers, spiking)


class Coded(Exception):
    """Ends a call once the codes are known."""


def coded(stem, image):
    """Return what enters the convolution, [T, N, C, H, W]."""

    def stop(_, args):
        raise Coded(args[0])

    with stem.encode.conv.register_forward_pre_hook(stop), pytest.raises(Coded) as end:
        stem(image)
    return end.value.args[0].unflatten(0, (stem.num_steps, -1))


def test_rate_approaches_the_intensity():
    stem = make('RateStem', steps=4000, channels=1)
    spikes = coded(stem, LEVELS / 255)
    assert spikes.unique().tolist() == [0, 1]
    chance = LEVELS / 255
    # five standard deviations; black and white have none
    error = (spikes.mean(0) - chance).abs()
    assert (error <= 5 * (chance * (1 - chance) / 4000).sqrt()).all()
    # steps are independent of each other
    centred = spikes - spikes.mean(0)
    assert (centred[1:] * centred[:-1]).mean().abs() < 0.01


def test_seed_of_rate():
    image = torch.rand(2, 3, 16, 16)
    stem = make('RateStem').eval()
    state = torch.get_rng_state()
    first = coded(stem, image)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(123)
    coded(stem, torch.rand(5, 3, 16, 16))
    assert torch.equal(coded(stem, image), first)
    assert not torch.equal(coded(make('RateStem', seed=1).eval(), image), first)
    # in training, and without a seed, the global generator goes on
    for other in (make('RateStem').train(), make('RateStem', seed=None).eval()):
        torch.manual_seed(7)
        one, two = coded(other, image), coded(other, image)
        assert not torch.equal(one, two)
        torch.manual_seed(7)
        assert torch.equal(coded(other, image), one)


@pytest.mark.parametrize('steps', [2, 3, 8])
def test_latency_fires_once_and_the_brighter_the_earlier(steps):
    spikes = coded(make('LatencyStem', steps, channels=1), LEVELS / 255)
    assert spikes.unique().tolist() == [0, 1]
    assert (spikes.sum(0) == 1).all()
    times = spikes.argmax(0).flatten().tolist()  # by rising intensity
    assert times == sorted(times, reverse=True)
    assert (times[0], times[-1]) == (steps - 1, 0)
    assert set(times) == set(range(steps))
    assert times[51] == round((steps - 1) * 0.8)


@pytest.mark.parametrize('periods', [1, 2])
def test_phase_restores_the_eight_bits(periods):
    values = coded(make('PhaseStem', 8 * periods, channels=1), LEVELS / 255)
    restored = values.unflatten(0, (periods, 8)).sum(1)
    assert torch.equal(restored, (LEVELS / 256).expand_as(restored))
    for t, step in enumerate(values):
        assert step.unique().tolist() == [0, 2 ** -(1 + t % 8)]
    assert (values[:8, 0, 0].flatten(1).T > 0)[0b10110001].tolist() == [
        bit == '1' for bit in '10110001'
    ]


@pytest.mark.parametrize('period', [1, 3])
def test_a_shorter_period_keeps_the_highest_bits(period):
    stem = make('PhaseStem', 2 * period, channels=1, period=period)
    values = coded(stem, LEVELS / 255)
    highest = (LEVELS // 2 ** (8 - period)) / 2**period
    assert torch.equal(values[:period].sum(0), highest)
    assert torch.equal(values[period:], values[:period])


@pytest.mark.parametrize(
    ('coding', 'encoder', 'images'),
    [
        ('LatencyStem', LatencyEncoder, LEVELS / 255),
        ('PhaseStem', WeightedPhaseEncoder, LEVELS / 256),
    ],
)
def test_spikes_are_spikingjellys(coding, encoder, images):
    expected = encoder(STEPS).single_step_encode(images)
    found = coded(make(coding, channels=1), LEVELS / 255)
    assert torch.equal(found > 0, expected > 0)


@pytest.mark.parametrize('coding', CODINGS)
def test_graphs_equal_the_stem_and_check_the_range(coding):
    """On another image than that of tracing."""
    stem = calibrate(make(coding), torch.rand(2, 3, 16, 16)).eval()
    traced, image = torch.rand(2, 3, 16, 16), torch.rand(2, 3, 16, 16)
    with torch.no_grad():
        graphs = (
            make_fx(stem)(traced),
            torch.export.export(stem, (traced,)).module(),
            torch.compile(stem, backend='aot_eager', fullgraph=True),
        )
        expected = stem(image)
        assert expected.any()
        for graph in graphs:
            assert torch.equal(graph(image), expected)
            assert torch.equal(graph(image), expected)
            with pytest.raises(ValueError, match=rf'{coding} needs intensities in'):
                graph(image + 1)
    torch._dynamo.reset()


@pytest.mark.parametrize('layout', [torch.contiguous_format, torch.channels_last])
def test_operators(layout):
    x = torch.rand(2, 3, 4, 5).contiguous(memory_format=layout)
    torch.library.opcheck(torch.ops.mmsnn.clamp_intensities.default, (x, 'RateStem'))
    chances = x.expand(3, *x.shape)
    torch.library.opcheck(torch.ops.mmsnn.seeded_bernoulli.default, (chances, 7))


@pytest.mark.parametrize('coding', CODINGS)
def test_normalisation_is_undone(coding):
    pixels = torch.randint(0, 256, (2, 3, 16, 16)).float()
    mean, std = (torch.tensor(x).view(3, 1, 1) for x in (MEAN, STD))
    stem = make(coding, mean=MEAN, std=STD).eval()
    expected = coded(make(coding).eval(), pixels / 255)
    assert torch.equal(coded(stem, (pixels - mean) / std), expected)
    # settings of the config, which no checkpoint holds
    assert not {'mean', 'std', 'weights'} & set(stem.state_dict())


@pytest.mark.parametrize('spiking', [True, False])
@pytest.mark.parametrize('coding', CODINGS)
def test_convolution_norm_neurons_and_pool_follow(coding, spiking):
    stem = make(coding, spiking=spiking, stride=2, pool=True)
    image = torch.rand(2, 3, 33, 20, requires_grad=True)
    stem.seed = None  # where there is none, nothing changes
    torch.manual_seed(1)
    entering = coded(stem, image)
    frames = build_stem(
        {'type': 'DirectStem', 'kernel_size': 3, 'stride': 2},
        3,
        8,
        LayerFactory(STEPS, {'type': 'IF'}, {'type': 'BN'}),
        spiking,
    )
    frames.load_state_dict(stem.state_dict())
    torch.manual_seed(1)
    out = stem(image)
    assert out.shape == (STEPS * 2, 8, 9, 5)
    assert out.is_contiguous(memory_format=torch.channels_last)
    assert (out.unique().tolist() == [0, 1]) == spiking
    torch.testing.assert_close(out, frames(entering.transpose(0, 1)))
    (out * torch.randn_like(out)).sum().backward()
    assert stem.encode.conv.weight.grad.any() and image.grad is None


@pytest.mark.parametrize('coding', CODINGS)
def test_range_of_intensities(coding):
    image = torch.rand(2, 3, 16, 16)
    stem = make(coding).eval()
    for wrong, shown in (
        (2.5, f'[{image.min():.3g}, 2.5]'),
        (-0.01, ''),
        (math.nan, ''),
    ):
        given = image.clone()
        given[1, 2, 3, 4] = wrong
        message = rf'{coding} needs intensities in \[0, 1\], .*{re.escape(shown)}.*mean'
        with pytest.raises(ValueError, match=message):
            stem(given)
    # rounding of the normalisation is allowed
    image[0, 0, 0, :2] = torch.tensor([-1e-6, 1 + 1e-6])
    assert torch.equal(coded(stem, image), coded(stem, image.clamp(0, 1)))


@pytest.mark.parametrize('coding', CODINGS)
@torch.no_grad()
def test_a_cast_stem_codes_the_same_intensities(coding):
    # in bf16 the preprocessor's mean would be 123.5, and the code another
    stem = make(coding, mean=MEAN, std=STD).eval()
    mean, std = (torch.tensor(v).view(-1, 1, 1) for v in (MEAN, STD))
    image = (torch.randint(0, 256, (2, 3, 32, 32)).float() - mean) / std
    cast = copy.deepcopy(stem).bfloat16()
    codes = [s.code(s.intensities(image)).float() for s in (stem, cast)]
    assert torch.equal(*codes)
    stem = make(coding, mean=[0.0] * 3, std=[1.0] * 3).eval()
    image = torch.randint(0, 256, (2, 3, 32, 32))
    assert torch.equal(coded(stem, image.byte()), coded(stem, image.float()))
