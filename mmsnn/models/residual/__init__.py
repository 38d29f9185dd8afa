"""Residual connections: a table of families, their merges, and the blocks."""

from .blocks import BasicBlock, Bottleneck, DenselyAdditive, ResidualBlock, make_stage
from .families import FAMILIES, Values, Wiring, get_family
from .merges import AddMerge, AndMerge, GateMerge, IAndMerge, LearnedGateMerge, Merge

__all__ = [
    'FAMILIES',
    'AddMerge',
    'AndMerge',
    'BasicBlock',
    'Bottleneck',
    'DenselyAdditive',
    'GateMerge',
    'IAndMerge',
    'LearnedGateMerge',
    'Merge',
    'ResidualBlock',
    'Values',
    'Wiring',
    'get_family',
    'make_stage',
]
