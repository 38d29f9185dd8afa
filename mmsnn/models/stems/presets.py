"""Stem presets, and building a stem from a preset or a config."""

import inspect
from collections.abc import Mapping
from typing import Any

from torch import nn

from mmsnn.models.build import build_part
from mmsnn.models.layers import LayerFactory
from mmsnn.registry import MODELS
from mmsnn.utils import NamedRows, check_choice, describe

from .base import BaseStem

STEM_PRESETS: NamedRows[dict[str, Any]] = NamedRows(
    'stem preset',
    dict,
    {
        'imagenet': dict(type='DirectStem', kernel_size=7, stride=2, pool=True),
        'cifar': dict(type='DirectStem', kernel_size=3, stride=1, pool=False),
        'ms': dict(type='DirectStem', kernel_size=7, stride=2, pool=False),
        'ms104': dict(
            type='DirectStem', kernel_size=3, stride=2, pool=False, num_convs=3
        ),
        'gac': dict(type='GatedAttentionStem', kernel_size=7, stride=2, pool=False),
        'gac-cifar': dict(
            type='GatedAttentionStem', kernel_size=3, stride=1, pool=False
        ),
        'gac104': dict(
            type='GatedAttentionStem', kernel_size=3, stride=2, pool=False, num_convs=3
        ),
    },
)
"""Stem configs by name; ``STEM_PRESETS.register(name, cfg)`` adds one."""


def preset_stride(name: str) -> int:
    """Return the downsampling factor of a preset.

    What its config does not set is the default of its class.

    Raises:
        ValueError: If there is no preset of that name.
    """
    check_choice('stem', name, STEM_PRESETS)
    cfg = STEM_PRESETS[name]
    class_ = cfg.get('type')
    if isinstance(class_, str):
        class_ = MODELS.get(class_)
    parameters = inspect.signature(class_).parameters if class_ else {}
    defaults = {name: p.default for name, p in parameters.items()}
    given = {'stride': 1, 'pool': False, **defaults, **cfg}
    stride: int = given['stride']
    return stride * (2 if given['pool'] else 1)


def build_stem(
    cfg: str | Mapping[str, Any],
    in_channels: int,
    out_channels: int,
    layers: LayerFactory,
    spiking: bool = True,
) -> nn.Module:
    """Build a stem from a preset's name or a config.

    Args:
        cfg: ``'imagenet'`` (7x7 of stride 2, 3x3 max-pool of stride 2), ``'cifar'``
            (3x3 of stride 1, no pool), ``'ms'`` (MS-ResNet's: ``'imagenet'`` without
            the pool), ``'ms104'`` (three 3x3, the first of stride 2, no pool);
            ``'gac'``, ``'gac-cifar'``, ``'gac104'`` (gated attention coding with the
            convolutions of ``'ms'``, ``'cifar'``, ``'ms104'``), or
            ``dict(type='DirectStem', ...)`` with the name of a class that is derived
            from :class:`BaseStem` and registered in :data:`mmsnn.registry.MODELS`, or
            of any other registered class with its scope.
        in_channels: Channels of the image.
        out_channels: Channels of the stem's output.
        layers: Builds the layers.
        spiking: Whether the stem ends with neurons.

    Raises:
        TypeError: If ``cfg`` is neither.
        ValueError: If the preset or type is unknown.
    """
    if isinstance(cfg, str):
        check_choice('stem', cfg, STEM_PRESETS)
        cfg = STEM_PRESETS[cfg]
    if not isinstance(cfg, Mapping):
        raise TypeError(
            f'stem must be one of {", ".join(STEM_PRESETS)} or a dict with a type, '
            f'but got {describe(cfg)}'
        )
    given = dict(
        in_channels=in_channels,
        out_channels=out_channels,
        layers=layers,
        spiking=spiking,
    )
    return build_part('stem', cfg, BaseStem, given)
