"""The CIFAR configs against their papers' tables."""

import functools
import math
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, PARAM_SCHEDULERS, DefaultScope
from torch import nn

from mmsnn.models import FAMILIES
from test_configs.cifar_papers import (
    COSINE,
    FILES,
    GAC_FILES,
    PARAMETERS,
    SETTINGS,
    SG_FILES,
    STEPS_10,
    STEPS_100,
    cached,
)
from test_configs.files import CONFIGS


def setting(cfg: Any, key: str) -> Any:
    for part in key.split('.'):
        cfg = cfg[int(part)] if part.isdigit() else cfg.get(part)
    return cfg


@functools.cache
def build(name: str) -> nn.Module:
    """Return the network without memory for its weights."""
    with torch.device('meta'), DefaultScope.overwrite_default_scope('mmpretrain'):
        return MODELS.build(deepcopy(cached(name)).model)


def test_the_tables_and_the_folders_agree() -> None:
    there = {
        f'{folder}/{path.stem}'
        for folder in ('cifar10', 'cifar100')
        for path in (CONFIGS / folder).glob('*.py')
    }
    assert there == FILES.keys()
    assert len(there) == 29


def test_settings_are_the_papers() -> None:
    wrong = [
        (name, where, setting(cached(name), key), value)
        for name, where, key, value in SETTINGS
        if setting(cached(name), key) != value
    ]
    assert wrong == []


@pytest.mark.parametrize('name', FILES)
def test_the_rate_of_learning(name: str) -> None:
    cfg = deepcopy(cached(name))
    cfg.optim_wrapper.type = 'OptimWrapper'
    cfg.optim_wrapper.pop('loss_scale', None)
    wrapper = build_optim_wrapper(nn.Linear(1, 1), cfg.optim_wrapper)
    schedulers = [
        PARAM_SCHEDULERS.build(scheduler, default_args=dict(optimizer=wrapper))
        for scheduler in cfg.param_scheduler
    ]
    rates = []
    for _ in range(cfg.train_cfg.max_epochs):
        rates += wrapper.get_lr()['lr']
        wrapper.step()
        for scheduler in schedulers:
            scheduler.step()
    expected = COSINE
    if name in SG_FILES:
        expected = STEPS_10 if name.startswith('cifar10/') else STEPS_100
    assert {epoch: rates[epoch] for epoch in expected} == pytest.approx(
        expected, abs=1e-5
    )


@pytest.mark.parametrize('name', FILES)
def test_what_every_network_has(name: str) -> None:
    model = build(name)
    classes = int(name.partition('/')[0].removeprefix('cifar'))
    assert cached(name).train_dataloader.dataset.type == f'CIFAR{classes}'
    assert model.head.num_classes == classes
    assert model.data_preprocessor.num_classes == classes
    # 3x3, stride 1, no max-pool (SG 5.1.1, GAC "Architecture details")
    stem = model.backbone.stem
    conv = stem.encode[0]
    assert (conv.out_channels, conv.kernel_size, conv.stride) == (64, (3, 3), (1, 1))
    assert stem.pool is None
    assert type(model.neck[1]).__name__ == 'GlobalAveragePooling'
    # From scratch, and the last epoch is reported.
    assert cached(name).model.backbone.get('init_cfg') is None
    assert 'save_best' not in cached(name).default_hooks.checkpoint


@pytest.mark.parametrize(('name', 'row'), SG_FILES.items())
def test_network_is_the_sg_papers(name: str, row: tuple[Any, ...]) -> None:
    _, family, blocks, decoder = row
    backbone = build(name).backbone
    # BSG*'s threshold is not given
    options = backbone.family.merge_options
    assert backbone.family == replace(FAMILIES[family], merge_options=options)
    assert backbone.num_steps == 4
    assert backbone.architecture.num_blocks == blocks
    assert backbone.out_channels == (512,)
    assert [type(d).__name__ for d in build(name).neck[0].decoders] == [decoder]
    # Section 5: IF, reset to 0, threshold 1, arc tangent
    neuron = backbone.stem.neuron
    assert type(neuron).__name__ == 'IF'
    dynamics = neuron.dynamics
    assert (dynamics.v_threshold, dynamics.v_reset) == (1.0, 0.0)
    assert (type(dynamics.surrogate).__name__, dynamics.surrogate.alpha) == ('ATan', 2)


@pytest.mark.parametrize(('name', 'row'), GAC_FILES.items())
def test_network_is_the_gac_papers(name: str, row: tuple[Any, ...]) -> None:
    _, num_steps, stem = row
    backbone = build(name).backbone
    assert backbone.family is FAMILIES['MS']
    assert type(backbone.stem) is stem
    assert backbone.num_steps == build(name).neck[0].num_steps == num_steps
    assert backbone.architecture.num_blocks == (3, 3, 2)
    assert [type(d).__name__ for d in build(name).neck[0].decoders] == ['Rate']
    # Table 4: threshold, reset, decay, width of the surrogate
    neuron = backbone.closings['2'][0]
    assert type(neuron).__name__ == 'LIF'
    dynamics = neuron.dynamics
    assert (dynamics.v_threshold, dynamics.v_reset) == (0.5, 0.0)
    assert 1 - neuron.decay() == pytest.approx(0.25)
    assert not dynamics.decay_input
    assert type(dynamics.surrogate).__name__ == 'Rectangular'
    assert dynamics.surrogate.alpha == 1.0


@pytest.mark.parametrize(('name', 'millions'), PARAMETERS.items())
def test_number_of_parameters(name: str, millions: float) -> None:
    counted = sum(parameter.numel() for parameter in build(name).parameters()) / 1e6
    # GAC's table drops the third digit: 12.679 M are its 12.67 M
    shown = math.floor(100 * counted) / 100 if name in GAC_FILES else round(counted, 2)
    assert shown == millions
