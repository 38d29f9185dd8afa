"""Necks that spike."""

from .pyramids import SpikingFPN, SpikingPAFPN

__all__ = ['SpikingFPN', 'SpikingPAFPN']
