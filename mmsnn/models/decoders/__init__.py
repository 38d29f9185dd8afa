"""Spike decoders: from spikes over time to analog features."""

from .attention import ASD
from .neck import SpikeDecoder
from .rate import BaseDecoder, Rate

__all__ = ['ASD', 'BaseDecoder', 'Rate', 'SpikeDecoder']
