"""Numbers of configs and networks that papers state, measured, as text."""

import functools
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmpretrain.registry import MODELS
from torch import nn

import mmsnn  # noqa: F401
from mmsnn.analysis import (
    ENERGY_MODELS,
    CountingRules,
    OperationCounter,
    Operations,
    energy_pj,
    estimate_energy,
    without_spikes,
)
from mmsnn.models import ResNetSNN
from mmsnn.models.backbones.resnet import ARCHITECTURES
from mmsnn.models.neurons import Surrogate

ROOT = Path(__file__).resolve().parents[2]
TABLE_5 = 'configs/cifar100/sg-r18-asd_1xb32-amp-200e_cifar100.py'
"""The network of the SG paper's Table 5."""
PAPERS_ACS = 348.9e6
"""Accumulations of the trained network in Table 5."""


@functools.cache
def load(config: str) -> Config:
    """Return a config of the repository."""
    return Config.fromfile(ROOT / config)


@functools.cache
def build(config: str) -> nn.Module:
    """Return the model of a config, without memory for its weights."""
    with torch.device('meta'):
        return MODELS.build(load(config).model)


def count(module: nn.Module) -> int:
    """Return the number of parameters."""
    return sum(parameter.numel() for parameter in module.parameters())


def millions(number: float, digits: int = 2) -> str:
    """Return a number in millions, as text."""
    return f'{number / 1e6:.{digits}f} M'


def scientific(number: float, digits: int = 1) -> str:
    """Return a number with an exponent of one digit, as the papers' energies."""
    return f'{number:.{digits}e}'.replace('e+0', 'e')


def parameters(config: str) -> str:
    """Return the number of parameters of a config's model."""
    return millions(count(build(config)))


def wide_tdbn_parameters() -> str:
    """Return the parameters of a tdBN ResNet34 with twice the channels."""
    with torch.device('meta'):
        backbone = ResNetSNN(34, 'tdBN', base_channels=128)
        head = nn.Linear(backbone.out_channels[-1], 1000)
    return millions(count(backbone) + count(head), 1)


def attention_share(config: str) -> str:
    """Return the share of spatial-channel attention in a network's parameters."""
    model: Any = build(config)
    attention = model.backbone.stem.spatial_channel
    return f'{count(attention) / count(model):.4%}'


def num_blocks(*depths: int) -> str:
    """Return the numbers of residual blocks of ResNets."""
    return ', '.join(str(sum(ARCHITECTURES[depth].num_blocks)) for depth in depths)


def stages(depth: int) -> str:
    """Return the number of blocks per stage of a ResNet."""
    return ', '.join(str(number) for number in ARCHITECTURES[depth].num_blocks)


def derivatives(surrogate: Surrogate, *points: float) -> str:
    """Return the derivatives of a surrogate at some points."""
    values = surrogate.derivative(torch.tensor(points)).tolist()
    return ', '.join(f'{round(value, 3):g}' for value in values)


def recipe(config: str) -> str:
    """Return epochs, learning rate and batch size of a config."""
    cfg = load(config)
    lr = cfg.optim_wrapper.optimizer.lr
    epochs = cfg.train_cfg.max_epochs
    return f'{epochs} epochs, lr {lr:g}, batch {cfg.auto_scale_lr.base_batch_size}'


def weight_decay(config: str) -> str:
    """Return the weight decay of a config."""
    return f'{load(config).optim_wrapper.optimizer.get("weight_decay", 0):g}'


def learning_rates(*configs: str) -> str:
    """Return the learning rates of configs."""
    return ', '.join(f'{load(x).optim_wrapper.optimizer.lr:g}' for x in configs)


def neuron(config: str) -> str:
    """Return threshold, reset potential and kept part of the potential of a config."""
    settings: Any = next(
        module for module in build(config).modules() if hasattr(module, 'tau')
    )
    dynamics = settings.dynamics
    return f'{dynamics.v_threshold:g}, {dynamics.v_reset:g}, {1 - 1 / settings.tau:.4g}'


def costs(name: str) -> str:
    """Return the energies of a MAC and an accumulation."""
    model = ENERGY_MODELS[name]
    return f'{model.mac_pj:g}, {model.accumulation_pj:g} pJ'


@functools.cache
def operations(config: str, pixels: int) -> Operations:
    """Return the operations of an untrained network for one image.

    Dense counts do not depend on the weights. Accumulations do, and are not used.
    """
    torch.manual_seed(0)
    model = MODELS.build(load(config).model)
    # in training mode, batch statistics make an untrained network fire
    with OperationCounter(model.train()) as counter, torch.no_grad():
        model(torch.randn(1, 3, pixels, pixels))
    return counter.result()


def ann_macs(config: str, pixels: int, projections: bool = True) -> float:
    """Return the multiply-accumulates of the network without spikes."""
    rules = CountingRules(projections=projections)
    twin = without_spikes(operations(config, pixels))
    return estimate_energy(twin, 'SG', rules).total.macs


def ann_energy_mj(config: str) -> str:
    """Return the energy of the network without spikes for a 224 x 224 image."""
    macs = ann_macs(config, 224)
    return f'{energy_pj(macs, 0, "GAC") * 1e-9:.2f} mJ'


def analog_macs(*parts: str) -> float:
    """Return the multiply-accumulates of parts of Table 5's SNN, norms left out."""
    return sum(
        layer.mean.analog.dense
        for layer in operations(TABLE_5, 32).layers
        if layer.kind != 'norm' and layer.part in parts
    )


def snn_macs() -> float:
    """Return the multiply-accumulates of Table 5's SNN."""
    return analog_macs('encoder', 'decoder', 'head')


def decoder_parameters() -> int:
    """Return the parameters of the decoder of Table 5's SNN."""
    layers = operations(TABLE_5, 32).layers
    return int(sum(layer.weights for layer in layers if layer.part == 'decoder'))
