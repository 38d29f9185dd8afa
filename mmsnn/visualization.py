"""Deprecated name of :mod:`mmsnn.reporting`; to be removed in the next release."""

import warnings

from mmsnn.reporting import *  # noqa: F403

warnings.warn(
    'mmsnn.visualization is now mmsnn.reporting', DeprecationWarning, stacklevel=2
)
