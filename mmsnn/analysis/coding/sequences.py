"""Sequences over time steps: their period, and what an observer learns from them."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import log
from typing import Literal

import torch
from torch import Tensor

CodeValues = Literal['binary', 'graded', 'analog']
"""What an encoder returns: spikes, weighed spikes, or currents."""


def smallest_periods(x: Tensor) -> Tensor:
    """Return the smallest P with ``x[t + P] == x[t]`` for all t, T if there is none.

    Args:
        x: Sequences ``[T, ...]``.

    Returns:
        Integers ``[...]`` in 1 to T.
    """
    periods = torch.full(x.shape[1:], len(x), device=x.device)
    for period in range(len(x) - 1, 0, -1):
        periods.masked_fill_((x[period:] == x[:-period]).all(0), period)
    return periods


def quantise(x: Tensor, values: CodeValues, levels: int) -> Tensor:
    """Return which level each output is in: 0 for zero, else 1 to ``levels``.

    Spikes are one level. Graded values are sorted into equal parts of [0, 1], currents
    into parts that are equally likely under a standard normal distribution, which is
    what a fresh norm makes. Both are the same for every image and network, so that
    entropies can be compared.

    Args:
        x: Outputs of an encoder.
        values: What they are.
        levels: How many levels, at most 255.
    """
    if values == 'binary':
        return (x != 0).to(torch.uint8)
    x = x.float()
    scale = torch.special.ndtr(x) if values == 'analog' else x
    level = 1 + (scale * levels).floor().clamp(0, levels - 1)
    return torch.where(x == 0, 0, level).to(torch.uint8)


@dataclass(frozen=True)
class Guess:
    """How well the next symbol of a sequence can be told from those before it.

    Args:
        entropy_bits: Entropy of the symbol given its history, as counted (plug-in).
        bias_bits: What Miller and Madow's correction would add to it.
        histories: Number of distinct histories.
        lone: Number of sequences whose history no other sequence has.
        unsure: Of each distinct sequence, whether its history goes on in several ways,
            ``[M]``.
    """

    entropy_bits: float
    bias_bits: float
    histories: int
    lone: int
    unsure: Tensor


def guess(rows: Tensor, counts: Tensor) -> Iterator[Guess]:
    """Yield the guess of each of T symbols from those before it.

    Args:
        rows: Distinct sequences of symbols, 8-bit integers, ``[M, T]``.
        counts: How often each was seen, ``[M]``.
    """
    total = int(counts.sum())
    for before, after in pairwise(_histories(rows)):
        known, joint = _sums(before, counts), _sums(after, counts)
        parent = torch.empty_like(joint)
        parent[after] = before
        # of each continuation; exactly 0 where a history has a single one
        surprise = (known[parent] / joint.double()).log2()
        yield Guess(
            entropy_bits=float((joint * surprise).sum() / total),
            bias_bits=(len(joint) - len(known)) / (2 * total * log(2)),
            histories=len(known),
            lone=int((known == 1).sum()),
            unsure=(parent.bincount() > 1)[before],
        )


def _histories(rows: Tensor) -> Iterator[Tensor]:
    """Yield T + 1 tensors ``[M]``: the number of each row's first 0 to T symbols."""
    ids = torch.zeros(len(rows), dtype=torch.int64)
    yield ids
    for symbols in rows.T:
        ids = torch.unique(ids * 256 + symbols, return_inverse=True)[1]
        yield ids


def _sums(ids: Tensor, counts: Tensor) -> Tensor:
    return counts.new_zeros(int(ids.max()) + 1).index_add_(0, ids, counts)


def merge_equal(rows: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """Return each distinct row once, and the sums of their counts."""
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
