"""Stems, which encode images as spikes."""

from .base import BaseStem
from .direct import DirectStem
from .gated_attention import GatedAttentionStem
from .pixel_codes import LatencyStem, PhaseStem, RateStem
from .presets import STEM_PRESETS, build_stem, preset_stride

__all__ = [
    'BaseStem',
    'DirectStem',
    'GatedAttentionStem',
    'LatencyStem',
    'PhaseStem',
    'RateStem',
    'STEM_PRESETS',
    'build_stem',
    'preset_stride',
]
