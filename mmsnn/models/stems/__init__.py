"""Stems: how an image becomes spikes."""

from .direct import DirectStem, build_stem

__all__ = ['DirectStem', 'build_stem']
