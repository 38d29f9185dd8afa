"""Stems: how an image becomes spikes."""

from .direct import DirectStem
from .gated_attention import GatedAttentionStem
from .pixel_codes import LatencyStem, PhaseStem, RateStem
from .presets import build_stem

__all__ = [
    'DirectStem',
    'GatedAttentionStem',
    'LatencyStem',
    'PhaseStem',
    'RateStem',
    'build_stem',
]
