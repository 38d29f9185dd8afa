"""Sequences over time steps: their periods and the entropy of each next symbol."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import log
from typing import Literal

import torch
from torch import Tensor

CodeValues = Literal['binary', 'integer', 'graded', 'analog']
"""Values that an encoder returns: spikes, numbers of spikes, weighted spikes or
currents."""


def smallest_periods(x: Tensor) -> Tensor:
    """Return the smallest P with ``x[t + P] == x[t]`` for all t, or T if there is none.

    Args:
        x: Sequences ``[T, ...]``.

    Returns:
        Integers ``[...]`` from 1 to T.
    """
    periods = torch.full(x.shape[1:], len(x), device=x.device)
    for period in range(len(x) - 1, 0, -1):
        periods.masked_fill_((x[period:] == x[:-period]).all(0), period)
    return periods


def quantise(x: Tensor, values: CodeValues, levels: int) -> Tensor:
    """Return the level of each output: 0 for zero, otherwise 1 to ``levels``.

    Spikes have one level, and numbers of spikes one per number. Levels of graded values
    are equal intervals of [0, 1]; those of currents are equally likely under a standard
    normal distribution, which is the output of a newly initialised norm. The levels do
    not depend on the image or the network, so that entropies are comparable.

    Args:
        x: Outputs of an encoder.
        values: Kind of the outputs.
        levels: Number of levels, at most 255.
    """
    if values == 'binary':
        return (x != 0).to(torch.uint8)
    if values == 'integer':
        return x.clamp(0, levels).to(torch.uint8)
    x = x.float()
    scale = torch.special.ndtr(x) if values == 'analog' else x
    level = 1 + (scale * levels).floor().clamp(0, levels - 1)
    return torch.where(x == 0, 0, level).to(torch.uint8)


@dataclass(frozen=True)
class Guess:
    """How well the next symbol of a sequence can be predicted from the previous ones.

    Args:
        entropy_bits: Entropy of the symbol given its history, the plug-in estimate.
        bias_bits: The Miller-Madow correction of the entropy, not included in it.
        histories: Number of distinct histories.
        lone: Number of sequences with a unique history.
        unsure: Whether the history of each distinct sequence is followed by different
            symbols, ``[M]``.
    """

    entropy_bits: float
    bias_bits: float
    histories: int
    lone: int
    unsure: Tensor


def guess(rows: Tensor, counts: Tensor) -> Iterator[Guess]:
    """Yield the prediction of each of T symbols from the previous ones.

    Args:
        rows: Distinct sequences of symbols, 8-bit integers, ``[M, T]``.
        counts: Number of occurrences of each sequence, ``[M]``.
    """
    total = int(counts.sum())
    for before, after in pairwise(_histories(rows)):
        known, joint = _sums(before, counts), _sums(after, counts)
        parent = torch.empty_like(joint)
        parent[after] = before
        # per continuation; exactly 0 if a history has a single continuation
        surprise = (known[parent] / joint.double()).log2()
        yield Guess(
            entropy_bits=float((joint * surprise).sum() / total),
            bias_bits=(len(joint) - len(known)) / (2 * total * log(2)),
            histories=len(known),
            lone=int((known == 1).sum()),
            unsure=(parent.bincount() > 1)[before],
        )


def _histories(rows: Tensor) -> Iterator[Tensor]:
    """Yield T + 1 tensors ``[M]``: an id of each row's first 0 to T symbols."""
    ids = torch.zeros(len(rows), dtype=torch.int64)
    yield ids
    for symbols in rows.T:
        ids = torch.unique(ids * 256 + symbols, return_inverse=True)[1]
        yield ids


def _sums(ids: Tensor, counts: Tensor) -> Tensor:
    return counts.new_zeros(int(ids.max()) + 1).index_add_(0, ids, counts)


def merge_equal(rows: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """Return the distinct rows and the sums of their counts."""
    *_, ids = _histories(rows)
    sums = _sums(ids, counts)
    distinct = rows.new_empty(len(sums), rows.shape[1])
    distinct[ids] = rows
    return distinct, sums


__all__ = [
    'CodeValues',
    'Guess',
    'guess',
    'merge_equal',
    'quantise',
    'smallest_periods',
]
