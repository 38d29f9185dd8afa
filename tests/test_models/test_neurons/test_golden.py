"""Spike trains of each neuron, computed by hand.

``h`` is the potential before the reset; all numbers are exact in binary, unless a test
says otherwise, so that a potential equal to the threshold is exactly equal.
"""

import math

import pytest
import torch

from mmsnn.models.neurons import IF, LIF, PLIF

IF_TRACES = {
    # h = 0.5, 1.0 (fires at the threshold), 0.75, 1.0, 1.5
    'hard': (0.0, [0.5, 0.5, 0.75, 0.25, 1.5], [0, 1, 0, 1, 1]),
    # from rest at -0.5: h = 0.5, 1.5, 0.5, 1.5, 0.5
    'hard to -0.5': (-0.5, [1.0, 1.0, 1.0, 1.0, 1.0], [0, 1, 0, 1, 0]),
    # from rest at 0.5: h = 0.75, 1.0, 0.25, 1.25, 1.5
    'hard to 0.5': (0.5, [0.25, 0.25, -0.25, 1.0, 1.0], [0, 1, 0, 1, 1]),
    # h = 1.5 -> 0.5, 0.75, 1.25 -> 0.25, 0.0, 2.25 -> 1.25, 1.25 -> 0.25
    'soft': (None, [1.5, 0.25, 0.5, -0.25, 2.25, 0.0], [1, 0, 1, 0, 1, 1]),
}

LIF_TRACES = {
    # h = 0.75, 0.75 + 0.375 = 1.125, 0.75, 0.75 + 0.625 = 1.375, 0.25
    'hard': (2.0, 0.0, [1.5, 1.5, 1.5, 2.0, 0.5], [0, 1, 0, 1, 0]),
    # from rest at -1, h = v + (x - (v + 1)) / 4:
    # 0, 0 + 3 / 4, 0.75 + 0.25 / 4 = 0.8125, 0.8125 + 2.1875 / 4 = 1.36,
    # -1 + 8 / 4 = 1 (fires at the threshold)
    'hard to -1': (4.0, -1.0, [4.0, 4.0, 2.0, 4.0, 8.0], [0, 0, 0, 1, 1]),
    # h = 1.5 -> 0.5, 0.75, 0.875, 0.9375, 2.47 -> 1.47, 0.73
    'soft': (2.0, None, [3.0, 1.0, 1.0, 1.0, 4.0, 0.0], [1, 0, 0, 0, 1, 0]),
    # tau = 1 forgets at once: h = x
    'no memory': (1.0, 0.0, [0.5, 0.75, 1.0, 0.5], [0, 0, 1, 0]),
}

# without decay of the input
WHOLE_INPUT_TRACES = {
    # h = 0.75, 0.375 + 0.625 = 1 (fires at the threshold), 0.75, 0.375 + 0.5, 2
    'hard': (2.0, 0.0, [0.75, 0.625, 0.75, 0.5, 1.5625], [0, 1, 0, 0, 1]),
    # from rest at -1, h = v + x - (v + 1) / 4:
    # 0, 0 + 1 - 0.25 = 0.75, 0.75 + 0.5 - 0.4375 = 0.8125,
    # 0.8125 + 1 - 0.453125 = 1.36, -1 + 2 = 1 (fires at the threshold), -1 + 1.5
    'hard to -1': (4.0, -1.0, [1.0, 1.0, 0.5, 1.0, 2.0, 1.5], [0, 0, 0, 1, 1, 0]),
    # h = 1.5 -> 0.5, 0.75, 0.375 + 0.25, 0.3125 + 1.75 = 2.06 -> 1.06, 0.53
    'soft': (2.0, None, [1.5, 0.5, 0.25, 1.75, 0.0], [1, 0, 0, 1, 0]),
    # tau = 1 forgets at once: h = x
    'no memory': (1.0, 0.0, [0.5, 0.75, 1.0, 0.5], [0, 0, 1, 0]),
}
LEAKY_TRACES = [
    *((True, *trace) for trace in LIF_TRACES.values()),
    *((False, *trace) for trace in WHOLE_INPUT_TRACES.values()),
]


@pytest.mark.parametrize('trace', IF_TRACES)
def test_if(trace):
    v_reset, x, spikes = IF_TRACES[trace]
    neuron = IF(len(x), v_reset=v_reset)
    assert neuron(torch.tensor(x)).tolist() == spikes


@pytest.mark.parametrize(('decay_input', 'tau', 'v_reset', 'x', 'spikes'), LEAKY_TRACES)
def test_lif(decay_input, tau, v_reset, x, spikes):
    neuron = LIF(len(x), tau=tau, v_reset=v_reset, decay_input=decay_input)
    assert neuron(torch.tensor(x)).tolist() == spikes


@pytest.mark.parametrize(
    ('decay_input', 'tau', 'v_reset', 'x', 'spikes'),
    [trace for trace in LEAKY_TRACES if trace[1] > 1],
)
def test_plif_starts_as_lif_of_its_initial_tau(decay_input, tau, v_reset, x, spikes):
    # its decay is sigmoid(-log(tau - 1)): potentials that are exactly the threshold in
    # LIF are moved off it
    x = torch.tensor(x) + 2**-8
    neuron = PLIF(len(x), init_tau=tau, v_reset=v_reset, decay_input=decay_input)
    assert neuron(x).tolist() == spikes


def test_the_neuron_of_ms_resnet():
    # a quarter of the potential stays: h = 0.4, 0.1 + 0.41 (fires), 0.3, 0.075 + 0.42
    neuron = LIF(4, tau=4 / 3, v_threshold=0.5, decay_input=False)
    assert neuron(torch.tensor([0.4, 0.41, 0.3, 0.42])).tolist() == [0, 1, 0, 0]


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


def test_threshold():
    # h = 1, 2 (fires), 1.5, 2.0 (fires)
    neuron = IF(4, v_threshold=2)
    assert neuron(torch.tensor([1.0, 1.0, 1.5, 0.5])).tolist() == [0, 1, 0, 1]
    # soft reset subtracts the threshold: h = 5 -> 3, 3 -> 1, 1, 2
    neuron = IF(4, v_threshold=2, v_reset=None)
    assert neuron(torch.tensor([5.0, 0.0, 0.0, 1.0])).tolist() == [1, 1, 0, 1]


def test_time_is_the_outer_part_of_the_first_dimension():
    # sample 0: h = 0.5, 1.0; sample 1: h = 1.0, 0.25; sample 2: h = 0.25, 0.75
    x = torch.tensor([[0.5], [1.0], [0.25], [0.5], [0.25], [0.5]])
    assert IF(2)(x).flatten().tolist() == [0, 1, 0, 1, 0, 0]


def test_one_step_is_a_comparison():
    x = torch.randn(100) + 1
    assert torch.equal(IF(1)(x), (x >= 1).float())


def test_gradient_by_hand():
    # h1 = 0.5, h2 = 0.75; neither fires. g(d) = 1 / (1 + (pi d)^2) at d = h - 1
    g1 = 1 / (1 + (math.pi * 0.5) ** 2)
    g2 = 1 / (1 + (math.pi * 0.25) ** 2)
    for detach, through_reset in ((False, 1 - 0.5 * g1), (True, 1.0)):
        x = torch.tensor([0.5, 0.25], dtype=torch.float64, requires_grad=True)
        IF(2, detach_reset=detach)(x).sum().backward()
        expected = torch.tensor([g1 + through_reset * g2, g2], dtype=torch.float64)
        torch.testing.assert_close(x.grad, expected)


def test_gradient_by_hand_without_decay_of_the_input():
    # tau = 4: h1 = 0.5, h2 = 0.375 + 0.25; the reset is detached, and h2's share of h1
    # is 3 / 4. With k = sigmoid(w) = 1 / 4, dh2 / dw = -h1 dk/dw = -0.5 * 3 / 16
    g1 = 1 / (1 + (math.pi * 0.5) ** 2)
    g2 = 1 / (1 + (math.pi * 0.375) ** 2)
    neuron = PLIF(2, init_tau=4.0, detach_reset=True, decay_input=False).double()
    x = torch.tensor([0.5, 0.25], dtype=torch.float64, requires_grad=True)
    neuron(x).sum().backward()
    expected = torch.tensor([g1 + 0.75 * g2, g2], dtype=torch.float64)
    torch.testing.assert_close(x.grad, expected, rtol=1e-6, atol=0)
    assert neuron.w.grad.item() == pytest.approx(-0.5 * 3 / 16 * g2, rel=1e-6)


def test_gradient_by_hand_after_a_spike():
    # h1 = 1.5 fires; hard reset forgets it: dv1/dh1 = -h1 g1, or 0 if detached
    # soft reset: dv1/dh1 = 1 - g1, or 1 if detached; then h2 = 0.5 + 0.25
    g1 = 1 / (1 + (math.pi * 0.5) ** 2)
    cases = (
        (0.0, False, -1.5 * g1, 0.25),
        (0.0, True, 0.0, 0.25),
        (0.5, False, (0.5 - 1.5) * g1, 0.25 + 0.5),
        (None, False, 1 - g1, 0.5 + 0.25),
        (None, True, 1.0, 0.5 + 0.25),
    )
    for v_reset, detach, through_reset, h2 in cases:
        start = v_reset or 0.0
        x = torch.tensor([1.5 - start, 0.25], dtype=torch.float64, requires_grad=True)
        IF(2, v_reset=v_reset, detach_reset=detach)(x).sum().backward()
        g2 = 1 / (1 + (math.pi * (h2 - 1)) ** 2)
        expected = torch.tensor([g1 + through_reset * g2, g2], dtype=torch.float64)
        torch.testing.assert_close(x.grad, expected)
