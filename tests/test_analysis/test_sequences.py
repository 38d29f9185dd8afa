"""Periods of sequences, and what an observer learns from them, by hand."""

import math

import pytest
import torch

from mmsnn.analysis.coding.sequences import (
    guess,
    merge_equal,
    quantise,
    smallest_periods,
)


def bernoulli_bits(p):
    return -p * math.log2(p) - (1 - p) * math.log2(1 - p)


@pytest.mark.parametrize(
    ('sequence', 'expected'),
    [
        ('111111', 1),
        ('000000', 1),
        ('010101', 2),
        ('001001', 3),
        ('000100', 4),
        ('000001', 6),
        ('100000', 6),
        ('110110', 3),
        ('101101', 3),
        ('1', 1),
        # once more, but by chance: the end is as the beginning
        ('100101', 5),
    ],
)
def test_period_by_hand(sequence, expected):
    x = torch.tensor([float(symbol) for symbol in sequence])
    assert smallest_periods(x).item() == expected
    # zeros stay zeros: the period of graded values is not shorter
    assert smallest_periods(x * torch.rand(len(x))).item() >= expected
    for shape in ((2, 3), (4,)):
        y = x.view(-1, *[1] * len(shape)).expand(-1, *shape)
        assert smallest_periods(y).tolist() == torch.full(shape, expected).tolist()


def test_entropy_by_hand():
    # half begin with 0; of these a quarter goes on with 1
    sequences = [[0, 0]] * 3 + [[0, 1]] + [[1, 0]] * 4
    rows, counts = merge_equal(
        torch.tensor(sequences, dtype=torch.uint8), torch.ones(8, dtype=torch.int64)
    )
    found = sorted(zip(rows.tolist(), counts.tolist(), strict=True))
    assert found == [([0, 0], 3), ([0, 1], 1), ([1, 0], 4)]
    first, second = guess(rows, counts)
    assert first.entropy_bits == 1
    assert second.entropy_bits == pytest.approx(bernoulli_bits(1 / 4) / 2)
    assert (first.histories, second.histories) == (1, 2)
    # Miller and Madow: (ways to go on - 1) / (2 * samples), in nats, per history
    assert first.bias_bits == pytest.approx(1 / (2 * 8 * math.log(2)))
    assert second.bias_bits == first.bias_bits
    unsure = dict(zip(map(str, rows.tolist()), second.unsure.tolist(), strict=True))
    assert unsure == {'[0, 0]': True, '[0, 1]': True, '[1, 0]': False}
    assert (first.lone, second.lone) == (0, 0)


def test_a_history_that_was_seen_once_counts_as_certain():
    rows = torch.tensor([[0, 0], [1, 0], [1, 1]], dtype=torch.uint8)
    _, second = guess(rows, torch.tensor([1, 2, 1]))
    assert second.lone == 1
    assert second.unsure.tolist() == [False, True, True]


def test_miller_and_madows_correction_leaves_less_bias():
    torch.manual_seed(0)
    plain, corrected = [], []
    for _ in range(200):
        rows = torch.randint(0, 2, (50, 4), dtype=torch.uint8)
        last = list(guess(*merge_equal(rows, torch.ones(50, dtype=torch.int64))))[-1]
        plain.append(last.entropy_bits)
        corrected.append(last.entropy_bits + last.bias_bits)
    plain, corrected = torch.tensor([plain, corrected]).mean(1).tolist()
    assert plain < 0.93
    assert abs(corrected - 1) < 0.3 * (1 - plain)


def test_levels():
    x = torch.tensor([0.0, 1e-6, 0.24, 0.26, 0.99, 1.0])
    assert quantise(x, 'graded', 4).tolist() == [0, 1, 1, 2, 4, 4]
    assert quantise(x, 'binary', 1).tolist() == [0, 1, 1, 1, 1, 1]
    assert quantise(x, 'graded', 255).tolist()[-1] == 255
    currents = quantise(torch.randn(40_000), 'analog', 4)
    shares = currents.flatten().bincount().double() / 40_000
    assert shares.tolist() == pytest.approx([0, 0.25, 0.25, 0.25, 0.25], abs=0.02)
    order = quantise(torch.tensor([-9.0, -0.5, 0.5, 9.0]), 'analog', 4)
    assert order.tolist() == [1, 2, 3, 4]
