"""Registries of scope ``mmsnn``, children of MMEngine's root registries.

A config only needs ``custom_imports = dict(imports=['mmsnn'])``; a type written
``'mmsnn.SGResNet'`` is then found from MMDetection's and MMPretrain's scopes, because
all of them share MMEngine's roots. The modules that define the types are imported when
the first type is built.
"""

from mmengine.registry import DATASETS as MMENGINE_DATASETS
from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import TRANSFORMS as MMENGINE_TRANSFORMS
from mmengine.registry import WEIGHT_INITIALIZERS as MMENGINE_WEIGHT_INITIALIZERS
from mmengine.registry import Registry

from mmsnn._compat import is_installed
from mmsnn.utils.checkpoint_readers import close_fallback
from mmsnn.utils.shipped_configs import register_package

# whatever uses the package imports this module
close_fallback()
register_package()

MODELS = Registry(
    'model', parent=MMENGINE_MODELS, scope='mmsnn', locations=['mmsnn.models']
)
DATASETS = Registry(
    'dataset',
    parent=MMENGINE_DATASETS,
    scope='mmsnn',
    locations=[
        'mmsnn.datasets',
        # derived from MMPretrain's data sets, which detection does not need
        *(['mmsnn.datasets.imagenet_subset'] if is_installed('mmpretrain') else []),
    ],
)
TRANSFORMS = Registry(
    'transform',
    parent=MMENGINE_TRANSFORMS,
    scope='mmsnn',
    locations=['mmsnn.datasets.transforms'],
)
HOOKS = Registry(
    'hook', parent=MMENGINE_HOOKS, scope='mmsnn', locations=['mmsnn.engine.hooks']
)

WEIGHT_INITIALIZERS = Registry(
    'weight initializer',
    parent=MMENGINE_WEIGHT_INITIALIZERS,
    scope='mmsnn',
    locations=['mmsnn.models'],
)

SURROGATES = Registry('surrogate', scope='mmsnn', locations=['mmsnn.models'])
"""Derivatives of the firing step; classes derived from
:class:`mmsnn.models.neurons.Surrogate`."""

__all__ = [
    'DATASETS',
    'HOOKS',
    'MODELS',
    'SURROGATES',
    'TRANSFORMS',
    'WEIGHT_INITIALIZERS',
]
