"""Registries of scope ``mmsnn``, children of MMEngine's root registries.

A config only needs ``custom_imports = dict(imports=['mmsnn'])``. A type such as
``'mmsnn.SGResNet'`` is then found from the scopes of MMDetection and MMPretrain, since
all of them share MMEngine's root registries. The modules that define the types are
imported when the first type is built.
"""

from mmengine.registry import DATASETS as MMENGINE_DATASETS
from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import METRICS as MMENGINE_METRICS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import TRANSFORMS as MMENGINE_TRANSFORMS
from mmengine.registry import WEIGHT_INITIALIZERS as MMENGINE_WEIGHT_INITIALIZERS
from mmengine.registry import Registry

from mmsnn._compat import is_installed
from mmsnn.utils.checkpoint_readers import close_fallback
from mmsnn.utils.shipped_configs import register_package

# called here because every use of the package imports this module
close_fallback()
register_package()

MODELS = Registry(
    'model',
    parent=MMENGINE_MODELS,
    scope='mmsnn',
    locations=[
        'mmsnn.models',
        # derive from MMDetection's; classifiers do not need them
        *(
            [
                'mmsnn.models.necks',
                'mmsnn.models.heads',
                'mmsnn.models.event_preprocessor',
            ]
            if is_installed('mmdet')
            else []
        ),
    ],
)
DATASETS = Registry(
    'dataset',
    parent=MMENGINE_DATASETS,
    scope='mmsnn',
    locations=[
        'mmsnn.datasets',
        # derives from MMPretrain's data sets; detection does not need it
        *(['mmsnn.datasets.imagenet_subset'] if is_installed('mmpretrain') else []),
    ],
)
TRANSFORMS = Registry(
    'transform',
    parent=MMENGINE_TRANSFORMS,
    scope='mmsnn',
    locations=['mmsnn.datasets.transforms'],
)
METRICS = Registry(
    'metric', parent=MMENGINE_METRICS, scope='mmsnn', locations=['mmsnn.evaluation']
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
"""Surrogate derivatives of the firing step, classes derived from
:class:`mmsnn.models.neurons.Surrogate`."""

__all__ = [
    'DATASETS',
    'HOOKS',
    'METRICS',
    'MODELS',
    'SURROGATES',
    'TRANSFORMS',
    'WEIGHT_INITIALIZERS',
]
