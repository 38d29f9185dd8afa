"""Layers that compute with spikes in bytes, for inference."""

from .layers import LARGEST_SUM, LARGEST_WEIGHT, SpikePool, SpikingConv2d

__all__ = ['LARGEST_SUM', 'LARGEST_WEIGHT', 'SpikePool', 'SpikingConv2d']
