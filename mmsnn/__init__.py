"""Spiking neural networks for MMDetection and MMPretrain.

``custom_imports = dict(imports=['mmsnn'])`` in a config registers the scope ``mmsnn``;
a type such as ``'mmsnn.SGResNet'`` is imported when it is first built. Importing the
package itself imports neither PyTorch nor MMDetection. Import it before ``torch`` to
apply its :mod:`thread policy <mmsnn.utils.threads>`.
"""

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

from mmsnn.utils.threads import limit_spinning
from mmsnn.version import __version__

limit_spinning()

if TYPE_CHECKING:
    from mmsnn import analysis, datasets, deploy, engine, models
    from mmsnn.registry import DATASETS, MODELS
elif importlib.util.find_spec('mmengine') is not None:
    # mmsnn.ops works without MMEngine; all other subpackages raise if it is missing
    from mmsnn.registry import DATASETS, MODELS

_SUBPACKAGES = ('analysis', 'datasets', 'deploy', 'engine', 'models')

__all__ = [
    'DATASETS',
    'MODELS',
    '__version__',
    'analysis',
    'datasets',
    'deploy',
    'engine',
    'models',
]


def __getattr__(name: str) -> Any:
    """Import a subpackage on first access."""
    if name in _SUBPACKAGES:
        return importlib.import_module(f'{__name__}.{name}')
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
