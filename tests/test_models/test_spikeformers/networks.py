"""Narrow networks that fire, of all kinds."""

import torch
from torch import nn

from mmsnn.models import ESpikeFormer, MetaSpikeFormer

from ..helpers import calibrate

CHANNELS = (8, 12, 16, 24)
LIF = MetaSpikeFormer.defaults['neuron']
KINDS = {
    'V2': (MetaSpikeFormer, {'num_steps': 2}),
    'V3 with LIF': (ESpikeFormer, {'num_steps': 2, 'neuron': LIF}),
    'V3': (ESpikeFormer, {}),
}


def make(kind: str, **options) -> nn.Module:
    """Return a narrow, calibrated backbone with four levels, in training mode."""
    entry, own = KINDS[kind]
    settings = {'num_heads': 2, 'out_indices': (0, 1, 2, 3), **own, **options}
    backbone = entry(CHANNELS, **settings)
    backbone.init_weights()
    with torch.no_grad():
        for name, module in backbone.named_modules():
            if isinstance(module, nn.BatchNorm2d):
                # products of three kinds of spikes are small
                spikes = name.endswith(('query.norm', 'key.norm', 'value.norm'))
                module.bias.uniform_(*((1.0, 3.0) if spikes else (-0.5, 1.0)))
    return calibrate(backbone, torch.randn(4, 3, 64, 48))
