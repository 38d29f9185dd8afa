"""The version of mmsnn."""

__version__ = '0.1.0'
