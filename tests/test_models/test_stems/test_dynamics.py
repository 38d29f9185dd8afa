"""Direct coding repeats itself, gated attention coding does not (Proposition 1)."""

import math

import pytest
import torch
from torch import nn

from mmsnn.models.layers import LayerFactory
from mmsnn.models.stems import DirectStem, build_stem

STEPS = 12
NEURONS = [
    {'type': 'IF'},
    {'type': 'IF', 'v_threshold': 0.5},
    {'type': 'LIF', 'tau': 2.0},
    {'type': 'LIF', 'tau': 4.0, 'v_threshold': 0.7},
    {'type': 'LIF', 'tau': 4 / 3, 'v_threshold': 0.5, 'decay_input': False},
    {'type': 'LIF', 'tau': 5.0, 'v_threshold': 1.5, 'decay_input': False},
]


def period(x, type, v_threshold=1.0, tau=math.inf, decay_input=True):
    """Return the steps from spike to spike (Qiu et al., Eq. 13), inf without spikes."""
    if type == 'IF':
        return math.ceil(v_threshold / x) if x > 0 else math.inf
    attenuation = 1 - 1 / tau
    current = (1 - attenuation) * x if decay_input else x
    if current <= (1 - attenuation) * v_threshold:
        return math.inf
    inner = 1 - (1 - attenuation) * v_threshold / current
    return max(math.ceil(math.log(inner, attenuation)), 1)


def train_of(every):
    """Return the spikes of one neuron that fires at multiples of a period."""
    return [float(math.isfinite(every) and t % every == 0) for t in range(1, STEPS + 1)]


def make(stem, neuron, channels=4):
    layers = LayerFactory(STEPS, neuron, {'type': 'BN'})
    # currents of a few periods within the steps
    stem = build_stem(stem, 3, channels, layers).double()
    nn.init.constant_(stem.encode.norm.bias, 0.6)
    return stem


@pytest.mark.parametrize('neuron', NEURONS)
def test_period_of_direct_coding_is_that_of_the_paper(neuron):
    stem = make('cifar', neuron)
    image = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    currents = stem.currents(image).flatten().tolist()
    periods = [period(x, **neuron) for x in currents]
    assert {2, 3, math.inf} <= set(periods)
    trains = stem(image).unflatten(0, (STEPS, 2)).flatten(1).T.tolist()
    assert trains == [train_of(every) for every in periods]


@pytest.mark.parametrize(
    ('x', 'every'),
    [(0.5, math.inf), (0.51, 6), (0.6, 3), (0.75, 2), (0.8, 2), (1.01, 1), (9.0, 1)],
)
def test_period_by_hand(x, every):
    # h = 0.5 v + x, threshold 1: from x = 0.6 it is 0.6, 0.9, 1.05
    neuron = {'type': 'LIF', 'tau': 2.0, 'decay_input': False}
    layers = LayerFactory(STEPS, neuron, {'type': 'BN', 'eps': 1e-9})
    stem = DirectStem(1, 1, layers, kernel_size=1, stride=1, pool=False)
    nn.init.ones_(stem.encode.conv.weight)
    spikes = stem.double().eval()(torch.full((1, 1, 1, 1), x, dtype=torch.float64))
    assert period(x, **neuron) == every
    assert spikes.flatten().tolist() == train_of(every)


@pytest.mark.parametrize('neuron', NEURONS)
def test_gated_attention_coding_is_not_periodic(neuron):
    direct, gated = make('cifar', neuron), make('gac-cifar', neuron)
    gated.load_state_dict(direct.state_dict(), strict=False)
    image = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    periods = [period(x, **neuron) for x in direct.currents(image).flatten().tolist()]
    outs = [
        stem(image).unflatten(0, (STEPS, 2)).flatten(1).T for stem in (direct, gated)
    ]
    seen = 0
    for every, plain, graded in zip(periods, *outs, strict=True):
        if every > STEPS / 2:
            continue
        seen += 1
        assert torch.equal(plain[every:], plain[:-every])
        fired = graded[plain == 1]
        assert len(fired) >= 2
        # an observer who knows what came before cannot tell what follows
        assert len(fired.unique()) == len(fired)
    assert seen > 50


def test_without_temporal_attention_it_is_periodic():
    cfg = {'type': 'GatedAttentionStem', 'kernel_size': 3, 'stride': 1}
    stem = make({**cfg, 'temporal': False}, {'type': 'IF'})
    out = stem(torch.randn(2, 3, 8, 8, dtype=torch.float64)).unflatten(0, (STEPS, 2))
    for series in out.flatten(1).T:
        assert len(series[series > 0].unique()) <= 1
