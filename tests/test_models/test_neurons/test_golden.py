"""Spike trains, potentials and gradients of each neuron, computed by hand.

``h`` is the potential before the reset; all numbers are exact in binary, unless a test
says otherwise, so that a potential equal to the threshold is exactly equal.
"""

import math

import pytest
import torch

from mmsnn.models.neurons import IF, LIF, PLIF

# settings, currents, spikes
IF_TRACES = [
    # h = 0.5, 1.0 (fires at the threshold), 0.75, 1.0, 1.5
    ({}, [0.5, 0.5, 0.75, 0.25, 1.5], [0, 1, 0, 1, 1]),
    # from rest at -0.5: h = 0.5, 1.5, 0.5, 1.5, 0.5
    ({'v_reset': -0.5}, [1.0, 1.0, 1.0, 1.0, 1.0], [0, 1, 0, 1, 0]),
    # from rest at 0.5: h = 0.75, 1.0, 0.25, 1.25, 1.5
    ({'v_reset': 0.5}, [0.25, 0.25, -0.25, 1.0, 1.0], [0, 1, 0, 1, 1]),
    # h = 1.5 -> 0.5, 0.75, 1.25 -> 0.25, 0.0, 2.25 -> 1.25, 1.25 -> 0.25
    ({'v_reset': None}, [1.5, 0.25, 0.5, -0.25, 2.25, 0.0], [1, 0, 1, 0, 1, 1]),
    # h = 1, 2 (fires), 1.5, 2.0 (fires)
    ({'v_threshold': 2}, [1.0, 1.0, 1.5, 0.5], [0, 1, 0, 1]),
    # soft reset subtracts the threshold: h = 5 -> 3, 3 -> 1, 1, 2
    ({'v_threshold': 2, 'v_reset': None}, [5.0, 0.0, 0.0, 1.0], [1, 1, 0, 1]),
]
WHOLE = {'decay_input': False}
LIF_TRACES = [
    # h = 0.75, 0.75 + 0.375 = 1.125, 0.75, 0.75 + 0.625 = 1.375, 0.25
    ({'tau': 2.0}, [1.5, 1.5, 1.5, 2.0, 0.5], [0, 1, 0, 1, 0]),
    # from rest at -1, h = v + (x - (v + 1)) / 4:
    # 0, 0 + 3 / 4, 0.75 + 0.25 / 4 = 0.8125, 0.8125 + 2.1875 / 4 = 1.36,
    # -1 + 8 / 4 = 1 (fires at the threshold)
    ({'tau': 4.0, 'v_reset': -1.0}, [4.0, 4.0, 2.0, 4.0, 8.0], [0, 0, 0, 1, 1]),
    # h = 1.5 -> 0.5, 0.75, 0.875, 0.9375, 2.47 -> 1.47, 0.73
    (
        {'tau': 2.0, 'v_reset': None},
        [3.0, 1.0, 1.0, 1.0, 4.0, 0.0],
        [1, 0, 0, 0, 1, 0],
    ),
    # tau = 1 forgets at once: h = x
    ({'tau': 1.0}, [0.5, 0.75, 1.0, 0.5], [0, 0, 1, 0]),
    # h = 0.75, 0.375 + 0.625 = 1 (fires at the threshold), 0.75, 0.375 + 0.5, 2
    ({'tau': 2.0, **WHOLE}, [0.75, 0.625, 0.75, 0.5, 1.5625], [0, 1, 0, 0, 1]),
    # from rest at -1, h = v + x - (v + 1) / 4:
    # 0, 0 + 1 - 0.25 = 0.75, 0.75 + 0.5 - 0.4375 = 0.8125,
    # 0.8125 + 1 - 0.453125 = 1.36, -1 + 2 = 1 (fires at the threshold), -1 + 1.5
    (
        {'tau': 4.0, 'v_reset': -1.0, **WHOLE},
        [1.0, 1.0, 0.5, 1.0, 2.0, 1.5],
        [0, 0, 0, 1, 1, 0],
    ),
    # h = 1.5 -> 0.5, 0.75, 0.375 + 0.25, 0.3125 + 1.75 = 2.06 -> 1.06, 0.53
    (
        {'tau': 2.0, 'v_reset': None, **WHOLE},
        [1.5, 0.5, 0.25, 1.75, 0.0],
        [1, 0, 0, 1, 0],
    ),
    ({'tau': 1.0, **WHOLE}, [0.5, 0.75, 1.0, 0.5], [0, 0, 1, 0]),
    # MS-ResNet's, whose potential keeps a quarter:
    # h = 0.4, 0.1 + 0.41 (fires), 0.3, 0.075 + 0.42
    (
        {'tau': 4 / 3, 'v_threshold': 0.5, **WHOLE},
        [0.4, 0.41, 0.3, 0.42],
        [0, 1, 0, 0],
    ),
]


@pytest.mark.parametrize(
    ('kind', 'options', 'x', 'spikes'),
    [(IF, *trace) for trace in IF_TRACES] + [(LIF, *trace) for trace in LIF_TRACES],
)
def test_traces(kind, options, x, spikes):
    assert kind(len(x), **options)(torch.tensor(x)).tolist() == spikes


@pytest.mark.parametrize(
    ('options', 'x', 'spikes'), [row for row in LIF_TRACES if row[0]['tau'] > 1]
)
def test_plif_starts_as_lif_of_its_initial_tau(options, x, spikes):
    # its decay is sigmoid(-log(tau - 1)): potentials that are exactly the threshold in
    # LIF are moved off it
    options = {'init_tau' if k == 'tau' else k: v for k, v in options.items()}
    assert PLIF(len(x), **options)(torch.tensor(x) + 2**-8).tolist() == spikes


def test_plif_follows_its_parameter():
    neuron = PLIF(2, init_tau=2.0)
    x = torch.tensor([1.75, 1.75])
    assert neuron(x).tolist() == [0, 1]  # h = 0.875, 1.3125
    with torch.no_grad():
        neuron.w.fill_(-math.log(3))  # tau = 4: h = 0.4375, 0.77
    assert neuron(x).tolist() == [0, 0]
    with torch.no_grad():
        neuron.w.fill_(-math.log(0.25))  # tau = 1.25: h = 1.4, 1.4
    assert neuron(x).tolist() == [1, 1]


def test_time_is_the_outer_part_of_the_first_dimension():
    # sample 0: h = 0.5, 1.0; sample 1: h = 1.0, 0.25; sample 2: h = 0.25, 0.75
    x = torch.tensor([[0.5], [1.0], [0.25], [0.5], [0.25], [0.5]])
    assert IF(2)(x).flatten().tolist() == [0, 1, 0, 1, 0, 0]
    x = torch.randn(100) + 1
    assert torch.equal(IF(1)(x), (x >= 1).float())


@pytest.mark.parametrize(
    ('neuron', 'expected'),
    [
        (IF(4), [0.75, 1.25, 0.25, 1.25]),
        (IF(4, v_reset=None), [0.75, 1.25, 0.5, 1.5]),
        (LIF(4, tau=2.0), [0.375, 0.4375, 0.34375, 0.671875]),
        (LIF(4, tau=2.0, decay_input=False), [0.75, 0.875, 0.6875, 1.34375]),
    ],
    ids=str,
)
def test_potentials(neuron, expected):
    x = torch.tensor([0.75, 0.5, 0.25, 1.0])
    assert neuron.potentials(x).tolist() == expected


def slope(h):
    """Return g(h - 1) of the surrogate 1 / (1 + (pi d)^2)."""
    return 1 / (1 + (math.pi * (h - 1)) ** 2)


G_HALF = slope(0.5)


@pytest.mark.parametrize(
    ('v_reset', 'detach', 'h1', 'h2', 'through_reset'),
    [
        # neither fires: dv1/dh1 = 1 - h1 g1, or 1 if detached
        (0.0, False, 0.5, 0.75, 1 - 0.5 * G_HALF),
        (0.0, True, 0.5, 0.75, 1.0),
        # h1 fires; a hard reset forgets it: dv1/dh1 = -h1 g1, or 0
        (0.0, False, 1.5, 0.25, -1.5 * G_HALF),
        (0.0, True, 1.5, 0.25, 0.0),
        (0.5, False, 1.5, 0.25 + 0.5, (0.5 - 1.5) * G_HALF),
        # a soft reset: dv1/dh1 = 1 - g1, or 1
        (None, False, 1.5, 0.5 + 0.25, 1 - G_HALF),
        (None, True, 1.5, 0.5 + 0.25, 1.0),
    ],
)
def test_gradients(v_reset, detach, h1, h2, through_reset):
    x = torch.tensor([h1 - (v_reset or 0.0), 0.25], dtype=torch.double)
    x.requires_grad_()
    IF(2, v_reset=v_reset, detach_reset=detach)(x).sum().backward()
    expected = [slope(h1) + through_reset * slope(h2), slope(h2)]
    torch.testing.assert_close(x.grad, torch.tensor(expected, dtype=torch.double))


def test_gradients_without_decay_of_the_input():
    # tau = 4: h1 = 0.5, h2 = 0.375 + 0.25; the reset is detached, and h2's share of h1
    # is 3 / 4. With k = sigmoid(w) = 1 / 4, dh2 / dw = -h1 dk/dw = -0.5 * 3 / 16
    g1, g2 = slope(0.5), slope(0.625)
    neuron = PLIF(2, init_tau=4.0, detach_reset=True, decay_input=False).double()
    x = torch.tensor([0.5, 0.25], dtype=torch.float64, requires_grad=True)
    neuron(x).sum().backward()
    expected = torch.tensor([g1 + 0.75 * g2, g2], dtype=torch.float64)
    torch.testing.assert_close(x.grad, expected, rtol=1e-6, atol=0)
    assert neuron.w.grad.item() == pytest.approx(-0.5 * 3 / 16 * g2, rel=1e-6)
