"""Residual connections: wiring as data, merges as code, one pair of blocks for all."""

from .blocks import BasicBlock, Bottleneck, ResidualBlock
from .families import FAMILIES, Wiring
from .merges import AddMerge, AndMerge, GateMerge, IAndMerge, LearnedGateMerge, Merge

__all__ = [
    'FAMILIES',
    'AddMerge',
    'AndMerge',
    'BasicBlock',
    'Bottleneck',
    'GateMerge',
    'IAndMerge',
    'LearnedGateMerge',
    'Merge',
    'ResidualBlock',
    'Wiring',
]
