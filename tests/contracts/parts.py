"""Every registered part, built small: the one place with arguments for them.

A part that is registered is tested by all contracts. Only where its required arguments
have no value here, or its defaults are large, does it need a line in ``OWN``.
"""

import inspect
from typing import Any
from unittest.mock import patch

import torch
from test_models.helpers import calibrate
from torch import Tensor, nn

from mmsnn.models import FAMILIES
from mmsnn.models.backbones import SpikingBackbone, densenet, spikeformer
from mmsnn.models.build import known_parts
from mmsnn.models.decoders import BaseDecoder
from mmsnn.models.layers import LayerFactory, SpikeDrivenAttention
from mmsnn.models.neurons import BaseNeuron, build_neuron
from mmsnn.models.stems import STEM_PRESETS, BaseStem, build_stem
from mmsnn.registry import MODELS

BACKBONES = known_parts(SpikingBackbone)
NEURONS = known_parts(BaseNeuron)
STEMS = known_parts(BaseStem)
DECODERS = known_parts(BaseDecoder)

STEPS = 2
CHANNELS = 16
IMAGES = (2, 3, 32, 32)
SMALL: dict[str, Any] = dict(
    depth=10,
    family='SG-BSG',
    widths=(4, 8),
    base_channels=8,
    growth_rate=4,
    num_steps=STEPS,
    in_channels=3,
    out_indices=(0, 1),
)
_TRANSFORMER: dict[str, Any] = dict(channels=(16, 16, 24, 32), num_heads=2)
OWN: dict[str, dict[str, Any]] = {
    'DenseNetSNN': dict(depth=121),
    'EMSResNet': dict(family='EMS'),
    'ESpikeFormer': _TRANSFORMER,
    'MetaSpikeFormer': _TRANSFORMER,
    # starting as the identity, its branches would not show
    'MSResNet': dict(zero_init_residual=False),
    'SGResNet': dict(gate='BSG*'),
    'VGGSNN': dict(depth=11),
}

Case = tuple[str, dict[str, Any]]
CASES: list[Case] = [
    *((name, {}) for name in BACKBONES),
    *(('ResNetSNN', dict(family=family)) for family in FAMILIES),
    ('ResNetSNN', dict(family='SG-BSG*', depth=50)),
    ('ResNetSNN', dict(family='PA-B', depth=50)),
    ('DenseNetSNN', dict(order='NSC')),
    # attention begins in the third stage
    ('MetaSpikeFormer', dict(out_indices=(2, 3))),
    ('ESpikeFormer', dict(out_indices=(2, 3))),
]
"""Backbones: one of each class, family, kind of block and order of layers."""

STEM_CASES: list[Case] = [
    *((preset, {}) for preset in STEM_PRESETS),
    *((name, dict(kernel_size=3, stride=1, pool=False)) for name in STEMS),
]
SPIKING = [True, False]


def case_id(case: Case) -> str:
    name, options = case
    return '-'.join([name, *map(str, options.values())])


def backbone_arguments(name: str, **options: Any) -> dict[str, Any]:
    """Return the arguments of a small backbone, as far as it has them."""
    parameters = inspect.signature(MODELS.get(name)).parameters
    given = {**SMALL, **OWN.get(name, {})}
    return {key: given[key] for key in given if key in parameters} | options


def build_backbone(case: Case, **options: Any) -> nn.Module:
    name, own = case
    # the blocks of a Transformer's stage are alike, and so are dense layers
    with (
        patch.object(spikeformer, 'NUM_BLOCKS', (1, 1, 1, 1)),
        patch.dict(densenet.DENSENETS, {121: (32, (2, 2, 2, 2))}),
    ):
        return MODELS.get(name)(**backbone_arguments(name, **{**own, **options}))


def make_backbone(case: Case, **options: Any) -> nn.Module:
    backbone = build_backbone(case, **options)
    backbone.init_weights()
    return backbone


def norms(module: nn.Module) -> list[nn.Module]:
    return [m for m in module.modules() if isinstance(m, nn.BatchNorm2d)]


def fires(levels: tuple[Tensor, ...]) -> bool:
    return all(bool(level.any()) for level in levels)


def active_backbone(case: Case, **options: Any) -> nn.Module:
    """Return a small backbone that fires at every level, in evaluation mode too."""
    backbone, image = make_backbone(case, **options), torch.randn(4, *IMAGES[1:])
    with torch.no_grad():
        for attention in backbone.modules():
            if isinstance(attention, SpikeDrivenAttention):
                # products of three kinds of spikes are small
                for unit in (attention.query, attention.key, attention.value):
                    nn.init.constant_(unit.norm.bias, 2.0)
        if not fires(calibrate(backbone, image)(image)):
            # a product of many sparse branches, such as AND's, is silent
            for norm in norms(backbone.stages):
                nn.init.constant_(norm.bias, 2.0)
    return calibrate(backbone, image)


def make_neuron(name: str, num_steps: int = STEPS, **options: Any) -> nn.Module:
    return build_neuron(dict(type=name, **options), num_steps)


def layers(num_steps: int, neuron: str = 'IF') -> LayerFactory:
    return LayerFactory(num_steps, dict(type=neuron), dict(type='BN'))


def make_stem(case: Case, spiking: bool = True, num_steps: int = 8) -> nn.Module:
    name, options = case
    cfg = dict(type=name, **options) if options else name
    stem = build_stem(cfg, 3, 8, layers(num_steps, 'PLIF'), spiking)
    for norm in norms(stem):
        nn.init.constant_(norm.bias, 0.6)  # currents that make neurons fire
    return stem


def make_decoder(name: str, channels: int = CHANNELS, num_steps: int = 4) -> nn.Module:
    return MODELS.get(name)(channels, num_steps)


def equal(some: tuple[Tensor, ...], others: tuple[Tensor, ...]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(some, others, strict=True))
