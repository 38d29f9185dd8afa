"""What several tests of networks share."""

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmsnn.models import (
    FAMILIES,
    DANet,
    EMSResNet,
    MSResNet,
    ResNetSNN,
    SEWResNet,
    SGResNet,
    SpikingResNet,
)

# Every family by the entry that a reader expects, as far as it has one. MS-ResNet
# starts as the identity unless told otherwise: what its branches do would not show.
FAMILY_ENTRIES = {name: (ResNetSNN, {'family': name}) for name in FAMILIES} | {
    'Spiking': (SpikingResNet, {'connect': 'Origin'}),
    'tdBN': (SpikingResNet, {'connect': 'tdBN'}),
    'BAA': (SpikingResNet, {'connect': 'BAA'}),
    'SEW-ADD': (SEWResNet, {'connect': 'ADD'}),
    'SEW-AND': (SEWResNet, {'connect': 'AND'}),
    'SEW-IAND': (SEWResNet, {'connect': 'IAND'}),
    'SG-BSG': (SGResNet, {'gate': 'BSG'}),
    'SG-BSG*': (SGResNet, {'gate': 'BSG*'}),
    'MS': (MSResNet, {'zero_init_residual': False}),
    'EMS': (EMSResNet, {}),
    'EMS-Block1': (EMSResNet, {'family': 'EMS-Block1'}),
    'DANet-A': (DANet, {'variant': 'A'}),
    'DANet-B': (DANet, {'variant': 'B'}),
    'DANet-C': (DANet, {'variant': 'C'}),
    'DANet-D': (DANet, {'variant': 'D'}),
}


def _silences(family: str) -> bool:
    """Return whether a silent branch silences its block."""
    merge = FAMILIES[family].merge
    if merge is None:
        return False
    shape = (1, 1, 1, 1)
    return not merge(1)(residual=torch.zeros(shape), shortcut=torch.ones(shape)).any()


# families whose untrained networks fall silent with depth
SILENT = [name for name in FAMILIES if _silences(name)]
SMALL = {'num_steps': 2, 'base_channels': 8, 'out_indices': (0, 1, 2, 3)}


def make_backbone(family: str = 'SG-BSG', depth: int = 10, **options) -> nn.Module:
    """Return a narrow, initialised backbone of two time steps and four levels."""
    entry, own = FAMILY_ENTRIES[family]
    backbone = entry(depth, **{**SMALL, **own, **options})
    backbone.init_weights()
    return backbone


@torch.no_grad()
def calibrate(backbone: nn.Module, image: Tensor) -> nn.Module:
    """Take the norms' running statistics from ``image``; return ``backbone``.

    Without them an untrained network is silent in evaluation mode, and a test of its
    features could not fail.
    """
    norms = [m for m in backbone.modules() if isinstance(m, _BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    backbone.train()(image)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    return backbone


def count_parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def parameters_without_gradient(module: nn.Module) -> list[str]:
    """Return the names of parameters whose gradient is missing, zero or not finite."""
    return [
        name
        for name, p in module.named_parameters()
        if p.grad is None or not p.grad.any() or not p.grad.isfinite().all()
    ]


def sum_of(features: tuple[Tensor, ...], weights: tuple[Tensor, ...]) -> Tensor:
    """Return a scalar that weighs every element of every level."""
    return sum((f * w).sum() for f, w in zip(features, weights, strict=True))
