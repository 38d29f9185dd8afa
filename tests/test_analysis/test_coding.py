"""Durations and entropies of encoders: by hand, and the paper's Propositions 1 to 3."""

import itertools
import math

import pytest
import torch
from test_models.test_stems.test_dynamics import NEURONS, STEPS, make, period
from torch import nn

from mmsnn.analysis.coding.coding_dynamics import CodingDynamics
from mmsnn.analysis.coding.sequences import smallest_periods
from mmsnn.models import MSResNet, SGResNet
from mmsnn.models.layers import LayerFactory
from mmsnn.models.stems import build_stem
from mmsnn.streaming import step

from .test_sequences import bernoulli_bits

SMALL = {'kernel_size': 3, 'stride': 1, 'pool': False}
THROUGH = {'kernel_size': 1, 'stride': 1, 'pool': False}  # with weights of 1


class Backbone(SGResNet):
    """A backbone that ends behind the stem it is given."""

    def __init__(self, stem):
        super().__init__(
            10, num_steps=stem.num_steps, base_channels=8, out_indices=(0,)
        )
        self.stem = stem
        self.stages = nn.ModuleList()


def measure(stem, *images, levels=16, compare=False):
    with CodingDynamics(Backbone(stem), levels, compare) as collector, torch.no_grad():
        for image in images:
            collector.model(image)
    return collector.result().encoders


def code_of(coding, steps, image, spiking=False, neuron=None, **options):
    """Measure the code of the pixels themselves: one channel, nothing behind it."""
    layers = LayerFactory(steps, neuron or {'type': 'IF'}, {'type': 'BN', 'eps': 1e-9})
    cfg = {'type': coding, **THROUGH, **options}
    stem = build_stem(cfg, 1, 1, layers, spiking).double().eval()
    nn.init.ones_(stem.encode.conv.weight)
    (encoder,) = measure(stem, image.double())
    return encoder


@pytest.mark.parametrize('neuron', NEURONS)
def test_direct_coding_lasts_its_period(neuron):
    stem = make('cifar', neuron, channels=8)
    image = torch.randn(4, 3, 8, 8, dtype=torch.float64)
    periods = torch.tensor(
        [period(x, **neuron) for x in stem.currents(image).flatten().tolist()]
    )
    fires = periods <= STEPS
    (encoder,) = measure(stem, image)
    assert encoder.num_positions == len(periods)
    assert encoder.silent_share == 1 - fires.double().mean()
    assert 0 < encoder.silent_share < 1
    expected = periods[fires].long().bincount(minlength=STEPS + 1)[1:]
    assert encoder.durations == tuple(expected.tolist())
    mean = periods[fires].double().mean().item()
    assert encoder.mean_duration_steps == pytest.approx(mean)
    # until its first spike a neuron may be one that fires later, then nothing is new
    last = int(periods[fires].max())
    assert encoder.observed_durations[1:] == encoder.durations
    assert encoder.silent_duration_steps == last
    assert all(bits > 0 for bits in encoder.entropy_bits[:last]) or 0 in expected[:last]
    rates = [((t % periods) == 0).double().mean().item() for t in range(1, STEPS + 1)]
    assert encoder.firing_rate == pytest.approx(rates)


@pytest.mark.parametrize('neuron', NEURONS)
def test_gating_never_shortens_the_duration(neuron):
    stem = make('gac-cifar', neuron, channels=8)
    nn.init.normal_(stem.temporal.mlp[2].weight)
    image = torch.randn(4, 3, 8, 8, dtype=torch.float64)
    spikes = stem.fire(stem.currents(image), constant=True).unflatten(0, (STEPS, -1))
    gated = stem(image).unflatten(0, (STEPS, -1))
    fires = spikes.any(0)
    durations = [smallest_periods(x)[fires] for x in (spikes, gated)]
    assert (durations[1] >= durations[0]).all()
    assert (durations[1] > durations[0]).double().mean() > 0.3
    # new until the last spike, behind which zeros are foreseen
    steps = torch.arange(1, STEPS + 1).view(-1, 1, 1, 1, 1)
    last = (steps * spikes).amax(0)[fires]
    assert torch.equal(durations[1], last.long())

    found, direct = measure(stem, image, compare=True)
    assert (found.coding, found.values) == ('GatedAttentionStem', 'graded')
    assert (direct.coding, direct.values) == ('DirectStem', 'binary')
    assert (found.name, direct.name) == ('stem', 'stem (direct)')
    for encoder, exact in zip((direct, found), durations, strict=True):
        counts = exact.bincount(minlength=STEPS + 1)[1:]
        assert encoder.durations == tuple(counts.tolist())
    assert found.silent_share == direct.silent_share
    assert found.firing_rate == direct.firing_rate
    assert sum(found.entropy_bits) > sum(direct.entropy_bits)


def test_later_values_follow_from_the_first_for_who_knows_the_weights():
    stem = make('gac-cifar', {'type': 'IF'}, channels=8)
    image = torch.randn(4, 3, 8, 8, dtype=torch.float64)
    gated = stem(image).unflatten(0, (STEPS, -1)).flatten(1)
    scores = gated[:, (gated > 0).all(0)].logit()
    assert scores.shape[1] > 50
    assert scores[0].std() > 1e-3
    ratios = scores / scores[0]
    assert ratios.std(1).max() < 1e-6
    assert ratios[:, 0].std() > 0.1


@pytest.mark.parametrize('pool', [False, True])
@pytest.mark.parametrize('frames', [False, True])
def test_direct_coding_of_the_same_weights(pool, frames):
    cfg = {'type': 'GatedAttentionStem', **SMALL, 'pool': pool}
    gated = make(cfg, {'type': 'IF'})
    direct = make({'type': 'DirectStem', **SMALL, 'pool': pool}, {'type': 'IF'})
    direct.load_state_dict(gated.state_dict(), strict=False)
    shape = (2, STEPS, 3, 9, 7) if frames else (2, 3, 9, 7)
    image = torch.randn(shape, dtype=torch.float64)
    _, beside = measure(gated, image, compare=True)
    (alone,) = measure(direct, image)
    assert beside.durations == alone.durations
    assert beside.observed_durations == alone.observed_durations
    assert beside.entropy_bits == alone.entropy_bits
    assert beside.step_change == alone.step_change


def test_repeated_currents_tell_nothing_after_the_first_step():
    layers = LayerFactory(6, {'type': 'IF'}, {'type': 'BN'})
    stem = build_stem('cifar', 3, 8, layers, spiking=False)
    (encoder,) = measure(stem, torch.randn(4, 3, 16, 16))
    assert encoder.values == 'analog'
    assert encoder.durations == (encoder.num_positions, 0, 0, 0, 0, 0)
    assert encoder.observed_durations[:3] == (0, encoder.num_positions, 0)
    assert encoder.entropy_bits[0] == pytest.approx(4, abs=0.1)
    assert encoder.entropy_bits[1:] == (0,) * 5
    assert encoder.step_change == (0,) * 5
    assert encoder.silent_share == 0
    assert encoder.silent_duration_steps is None


@pytest.mark.parametrize('p', [0.2, 0.5, 0.8])
def test_rate_coding_tells_the_entropy_of_a_coin_at_every_step(p):
    steps = 6
    encoder = code_of('RateStem', steps, torch.full((2, 1, 200, 200), p))
    bits = bernoulli_bits(p)
    assert encoder.entropy_bits == pytest.approx([bits] * steps, abs=0.01)
    assert encoder.firing_rate == pytest.approx([p] * steps, abs=0.01)
    # of independent steps that differ with probability 2 p (1 - p)
    assert encoder.step_change == pytest.approx([2 * p * (1 - p)] * 5, abs=0.01)
    assert encoder.histories == (1, 2, 4, 8, 16, 32)
    assert encoder.lone_share == (0,) * 6
    # Proposition 2: every history goes on in two ways
    fires = encoder.num_positions - round(encoder.silent_share * encoder.num_positions)
    assert encoder.observed_durations == (0,) * steps + (fires,)
    assert encoder.silent_duration_steps == steps
    # a sequence may end as it began, by chance, which shortens the exact one
    expected = [0.0] * steps
    for sequence in itertools.product((0, 1), repeat=steps):
        if any(sequence):
            borders = (k for k in range(steps) if sequence[:k] == sequence[-k:])
            chance = p ** sum(sequence) * (1 - p) ** (steps - sum(sequence))
            expected[steps - max(borders, default=0) - 1] += chance
    shares = [count / encoder.num_positions for count in encoder.durations]
    assert shares == pytest.approx(expected, abs=0.01)


def test_an_observer_learns_which_of_two_intensities_it_is():
    # black never fires: after one spike it is the bright half, of 1/2
    image = torch.cat([torch.zeros(1, 1, 100, 200), torch.full((1, 1, 100, 200), 0.5)])
    encoder = code_of('RateStem', 3, image)
    dark = [1.0, *(0.5 / (0.5 + 0.5 * 2**t) for t in (0, 1, 2))][1:]
    expected = []
    for t, bright in enumerate(dark):
        # the share of histories of zeros, in which the next is 1 with bright / 2
        silent = 0.5 + 0.5 * 2.0**-t
        expected.append(silent * bernoulli_bits(bright / 2) + (1 - silent))
    assert encoder.entropy_bits == pytest.approx(expected, abs=0.01)


def test_latency_coding_by_hand():
    steps = 5
    image = (torch.arange(256.0) / 255).view(1, 1, 16, 16)
    encoder = code_of('LatencyStem', steps, image)
    times = ((steps - 1) * (1 - image)).round().long().flatten() + 1
    counts = times.bincount(minlength=steps + 1).tolist()
    assert encoder.silent_share == 0
    # it must fire at the last step if it has not yet: nothing is left to tell
    assert encoder.observed_durations == (*counts[:4], counts[4] + counts[5], 0)
    assert encoder.entropy_bits[-1] == 0
    left = [sum(counts[t:]) for t in range(1, steps + 1)]
    assert encoder.entropy_bits[:-1] == pytest.approx(
        [left[t] / 256 * bernoulli_bits(counts[t + 1] / left[t]) for t in range(4)]
    )
    # one spike at t and zeros around it
    exact = torch.maximum(times, steps + 1 - times).bincount(minlength=steps + 1)
    assert encoder.durations == tuple(exact[1:].tolist())


def test_phase_coding_repeats_after_its_period():
    image = (torch.arange(256.0) / 255).view(1, 1, 16, 16)
    encoder = code_of('PhaseStem', 16, image)
    assert encoder.durations == (0,) * 7 + (255,) + (0,) * 8
    assert encoder.silent_share == 1 / 256
    # the bits of all grey levels, once each
    assert encoder.entropy_bits == pytest.approx([1.0] * 8 + [0.0] * 8)
    assert encoder.histories[:9] == tuple(2**t for t in range(9))
    assert encoder.lone_share[8] == 1
    assert encoder.observed_durations == (0,) * 8 + (255,) + (0,) * 8


@pytest.mark.parametrize('stem', ['RateStem', 'LatencyStem', 'PhaseStem'])
def test_codings_behind_convolution_and_neurons(stem):
    layers = LayerFactory(8, {'type': 'LIF'}, {'type': 'BN'})
    built = build_stem({'type': stem, **SMALL}, 3, 8, layers)
    image = torch.rand(2, 3, 16, 16)
    expected = built(image).unflatten(0, (8, 2)).flatten(1).double()
    (encoder,) = measure(built.eval().train(), image)
    if stem != 'RateStem':  # which draws anew
        assert encoder.firing_rate == pytest.approx(expected.mean(1).tolist())
        change = expected.diff(dim=0).abs().mean(1)
        assert encoder.step_change == pytest.approx(change.tolist())
    assert encoder.values == 'binary'
    assert encoder.mean_duration_steps > 4
    assert max(encoder.entropy_bits) <= 1


def test_examples():
    backbone = MSResNet(18, stem='gac-cifar', num_steps=4, base_channels=8).eval()
    image = torch.randn(2, 3, 16, 16)
    with CodingDynamics(backbone, compare=True) as collector:
        backbone(image)
    gated, _ = collector.result().encoders
    assert (gated.num_images, gated.num_positions) == (2, 2 * 8 * 16 * 16)
    assert set(collector.examples) == {'stem', 'stem (direct)'}
    shown = collector.examples['stem']
    assert torch.equal(shown, backbone.stem(image).unflatten(0, (4, 2))[:, 0])
    assert not shown.requires_grad


def test_a_silent_encoder():
    stem = make('cifar', {'type': 'IF', 'v_threshold': 100.0})
    (encoder,) = measure(stem, torch.randn(1, 3, 9, 7, dtype=torch.float64))
    assert encoder.silent_share == 1
    assert math.isnan(encoder.mean_duration_steps)
    assert math.isnan(encoder.mean_observed_duration_steps)
    assert encoder.entropy_bits == (0,) * STEPS
    # nothing fires anywhere: a silent position is no surprise
    assert encoder.silent_duration_steps == 0


def test_one_step():
    layers = LayerFactory(1, {'type': 'IF'}, {'type': 'BN'})
    (encoder,) = measure(build_stem('cifar', 3, 8, layers), torch.randn(2, 3, 9, 7))
    fires = round(encoder.num_positions * encoder.firing_rate[0])
    assert encoder.durations == (fires,)
    assert encoder.step_change == ()
    assert encoder.num_steps == 1


def test_encoders_of_a_model_have_their_names():
    model = nn.ModuleDict(
        {
            'teacher': MSResNet(18, stem='gac-cifar', num_steps=4, base_channels=8),
            'student': SGResNet(10, stem='cifar', num_steps=2, base_channels=8),
        }
    )
    with CodingDynamics(model, compare=True) as collector:
        for backbone in model.values():
            backbone(torch.randn(1, 3, 16, 16))
    found = [(e.name, e.coding, e.num_steps) for e in collector.result().encoders]
    assert found == [
        ('teacher.stem', 'GatedAttentionStem', 4),
        ('teacher.stem (direct)', 'DirectStem', 4),
        ('student.stem', 'DirectStem', 2),
    ]


@torch.no_grad()
def test_calls_of_a_stream_have_all_time_steps():
    backbone = SGResNet(10, num_steps=4, base_channels=8).eval()
    image = torch.randn(1, 3, 32, 32)
    with CodingDynamics(backbone) as collector:
        step(backbone, image, num_steps=4)
        with pytest.raises(ValueError, match='num_steps=4, but has 3'):
            step(backbone, image, num_steps=3)
    (encoder,) = collector.result().encoders
    assert encoder.num_steps == 4
