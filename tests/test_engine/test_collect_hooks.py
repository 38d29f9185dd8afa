"""Hooks that measure single training iterations: when, and that nothing is left."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.model import MMDistributedDataParallel
from mmengine.registry import HOOKS, MODELS, DefaultScope
from mmengine.runner import Runner
from torch import nn

from mmsnn.engine.hooks import CollectHook, collect
from mmsnn.utils.errors import UserError

from .small_runs import Spy, curves, evaluation, make_model, registered

Make = Callable[..., Runner]
ITERATIONS = 2  # an epoch has
# Hook -> one of its curves.
CURVES = {
    'FiringRateHook': 'firing_rate/backbone.stem.neuron',
    'GradientFlowHook': 'gradient_norm/backbone.stages.0.block',
    'EnergyHook': 'energy_pj/backbone',
}


def make_hook(name: str, interval: int = 1, **options: Any) -> dict[str, Any]:
    return dict(type=f'mmsnn.{name}', interval=interval, **options)


def steps(folder: Path, name: str) -> list[int]:
    return [step for step, _ in curves(folder).get(CURVES[name], [])]


@pytest.mark.parametrize('name', CURVES)
def test_only_iterations_that_are_measured_have_hooks(
    name: str, make_runner: Make, tmp_path: Path
) -> None:
    spy = Spy()
    make_runner(make_model(), [make_hook(name, 3), spy], epochs=4).train()
    measured = [during > 0 for during, _ in spy.counts]
    assert measured == [False, False, True] * 2 + [False] * 2
    assert all(after == 0 for _, after in spy.counts)
    assert steps(tmp_path, name) == [3, 6]


@pytest.mark.parametrize('name', CURVES)
def test_measuring_changes_no_training(name: str, make_runner: Make) -> None:
    model, other = make_model(), make_model()
    make_runner(model, [make_hook(name)]).train()
    runner = make_runner(other, [])
    # nothing is measured unless a config says so
    assert not any(isinstance(hook, CollectHook) for hook in runner.hooks)
    runner.train()
    for one, two in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(one, two)


@pytest.mark.parametrize('name', CURVES)
def test_loop_by_iterations_and_gradient_accumulation(
    name: str, make_runner: Make, tmp_path: Path
) -> None:
    sgd = dict(type='SGD', lr=0.1)
    runner = make_runner(
        make_model(),
        [make_hook(name, 2)],
        train_cfg=dict(by_epoch=False, max_iters=5),
        log_processor=dict(by_epoch=False),
        optim_wrapper=dict(optimizer=sgd, accumulative_counts=2),
    )
    runner.train()
    assert steps(tmp_path, name) == [2, 4]
    key = CURVES[name].partition('/')[0]
    assert runner.message_hub.get_scalar(f'train/{key}').data[1].sum() == 2


@pytest.mark.parametrize('name', CURVES)
def test_resume(name: str, make_runner: Make, tmp_path: Path) -> None:
    hooks = [make_hook(name, 3)]
    make_runner(make_model(), hooks).train()
    assert steps(tmp_path, name) == []
    state = str(tmp_path / 'epoch_1.pth')
    make_runner(make_model(), hooks, 2, load_from=state, resume=True).train()
    assert steps(tmp_path, name) == [3]


@pytest.mark.parametrize('name', CURVES)
def test_distributed_model(
    name: str, one_process: None, make_runner: Make, tmp_path: Path
) -> None:
    spy = Spy()
    make_runner(make_model(), [make_hook(name)]).train()
    alone = curves(tmp_path)[CURVES[name]]
    wrapped = MMDistributedDataParallel(make_model())
    make_runner(wrapped, [make_hook(name), spy]).train()
    assert all(during > 0 and after == 0 for during, after in spy.counts)
    distributed = curves(tmp_path)[CURVES[name]][ITERATIONS:]
    assert len(alone) == ITERATIONS
    assert distributed == [(step, pytest.approx(value)) for step, value in alone]


@pytest.mark.parametrize('name', CURVES)
def test_only_the_first_process_measures(
    name: str, make_runner: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collect, 'is_main_process', lambda: False)
    spy = Spy()
    make_runner(make_model(), [make_hook(name), spy]).train()
    assert spy.counts == [(0, 0)] * ITERATIONS


class Breaking:
    """A loss that fails while it is told to."""

    def __init__(self, head: nn.Module) -> None:
        self.loss = head.loss
        self.broken = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.broken:
            raise OSError('no loss')
        return self.loss(*args, **kwargs)


@pytest.mark.parametrize('name', CURVES)
@pytest.mark.parametrize('then', ['train', 'val', 'test'])
def test_after_a_failure_the_model_is_let_go(
    name: str, then: str, make_runner: Make
) -> None:
    model, spy = make_model(), Spy()
    model.head.loss = Breaking(model.head)
    runner = make_runner(model, [make_hook(name), spy], **evaluation())
    with pytest.raises(OSError, match='no loss'):
        runner.train()
    assert registered(model) > 0
    model.head.loss.broken = False
    getattr(runner, then)()
    assert registered(model) == 0
    assert len(spy.counts) == (ITERATIONS if then == 'train' else 0)


@pytest.mark.parametrize('name', ['FiringRateHook', 'GradientFlowHook'])
def test_a_network_without_neurons_is_refused(name: str, make_runner: Make) -> None:
    backbone = dict(type='LeNet5', num_classes=2)
    cfg = dict(type='ImageClassifier', backbone=backbone, head=dict(type='ClsHead'))
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(cfg)
    with pytest.raises(UserError, match=f'{name}: ImageClassifier has no spiking neur'):
        make_runner(model, [make_hook(name)]).train()


def test_settings() -> None:
    for name in CURVES:
        assert HOOKS.build(dict(type=f'mmsnn.{name}')).interval == 500
    base = CollectHook(1)
    with pytest.raises(NotImplementedError, match='CollectHook defines no collector'):
        base.make_collector(nn.Identity())
    with pytest.raises(NotImplementedError, match='CollectHook defines no scalars'):
        base.scalars(None)
