"""The hook that tests a copy of the model, folded and in bf16."""

import logging
from types import SimpleNamespace

import pytest
import torch
from mmengine.model import MMDistributedDataParallel
from torch import nn

from mmsnn.deploy import FoldedNorm
from mmsnn.engine.hooks import DeployHook
from mmsnn.models import SGResNet
from mmsnn.registry import HOOKS


def make_model(backbone=None):
    model = nn.Module()
    model.backbone = backbone or SGResNet(10, base_channels=4, num_steps=1)
    model.head = nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4))
    return model


def make_runner(model, wrapped=False):
    if wrapped:
        # without the processes that a real one needs
        wrapper = MMDistributedDataParallel.__new__(MMDistributedDataParallel)
        nn.Module.__init__(wrapper)
        wrapper.module, model = model, wrapper
    return SimpleNamespace(model=model, logger=logging.getLogger('test'))


def inner(runner):
    return getattr(runner.model, 'module', runner.model)


@pytest.mark.parametrize('wrapped', [False, True])
@pytest.mark.parametrize(('fold', 'bf16'), [(True, False), (False, True), (True, True)])
def test_a_copy_is_tested(fold, bf16, wrapped):
    model = make_model()
    runner = make_runner(model, wrapped)
    outer = runner.model
    hook = HOOKS.build(dict(type='mmsnn.DeployHook', fold=fold, bf16=bf16))
    hook.before_test_epoch(runner)
    tested = inner(runner)
    assert tested is not model
    assert (outer is runner.model) == wrapped
    folded = sum(isinstance(m, FoldedNorm) for m in tested.modules())
    # a stem, 4 blocks of 2 and 3 projections, and the head's
    assert folded == (13 if fold else 0)
    dtype = torch.bfloat16 if bf16 else torch.float32
    assert {p.dtype for p in tested.backbone.parameters()} == {dtype}
    assert {p.dtype for p in tested.head.parameters()} == {torch.float32}
    hook.after_test_epoch(runner, {})
    assert runner.model is outer
    assert inner(runner) is model
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert not any(isinstance(m, FoldedNorm) for m in model.modules())


def test_bf16_of_another_backbone():
    runner = make_runner(make_model(nn.Conv2d(3, 4, 1)))
    with pytest.raises(
        ValueError, match=r'backbone of mmsnn, but the model has Conv2d'
    ):
        DeployHook(bf16=True).before_test_epoch(runner)


@pytest.mark.parametrize('other', [dict(fold=False), dict(bf16=True)])
def test_int8_needs_folded_norms_and_excludes_bf16(other) -> None:
    with pytest.raises(ValueError, match='int8 needs folded norms and excludes bf16'):
        DeployHook(int8=True, **other)
