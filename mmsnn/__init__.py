"""Spiking neural networks for MMDetection and MMPretrain.

Importing the package registers its models, data sets and hooks; in a config,
``custom_imports = dict(imports=['mmsnn'])`` does it.
"""

from mmsnn._compat import check_dependencies
from mmsnn.version import __version__

check_dependencies()

from mmsnn import datasets, deploy, engine, models  # noqa: E402
from mmsnn.registry import DATASETS, MODELS  # noqa: E402

__all__ = [
    'DATASETS',
    'MODELS',
    '__version__',
    'datasets',
    'deploy',
    'engine',
    'models',
]
