"""Stems: how an image becomes spikes."""

from .codings import LatencyStem, PhaseStem, RateStem
from .direct import DirectStem
from .gated import GatedAttentionStem
from .presets import build_stem

__all__ = [
    'DirectStem',
    'GatedAttentionStem',
    'LatencyStem',
    'PhaseStem',
    'RateStem',
    'build_stem',
]
