"""Measure single training iterations: when, by what, and where the numbers go."""

import copy
import gc
import json
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mmpretrain  # noqa: F401
import pytest
import torch
import torch.distributed as dist
from mmengine.model import MMDistributedDataParallel
from mmengine.registry import HOOKS, MODELS, DefaultScope
from mmengine.runner import Runner
from torch import nn

from mmsnn.analysis.firing.firing_rates import FiringRates
from mmsnn.engine.hooks import CollectHook, FiringRateHook, collect
from mmsnn.utils.errors import UserError

from .test_train_steps import STEPS, Frames, make_loader, make_model
from .watching import Spy, curves, registered

ITERATIONS = 2  # an epoch has
STEM = 'firing_rate/backbone.stem.neuron'
Make = Callable[..., Runner]


def expected_rates(model: nn.Module) -> FiringRates:
    """Initialise the model; measure the first iteration of a copy."""
    model.init_weights()
    model = copy.deepcopy(model).train()
    with FiringRates(model) as rates, torch.no_grad():
        model(Frames(STEPS, 2, 8, 8).inputs[:2], mode='tensor')
    return rates.result()


def test_only_iterations_that_are_measured_have_hooks(make_runner: Make) -> None:
    spy = Spy()
    model = make_model()
    hook = dict(type='mmsnn.FiringRateHook', interval=3)
    make_runner(model, [hook, spy], epochs=4).train()
    measured = [during > 0 for during, _ in spy.counts]
    assert measured == [False, False, True] * 2 + [False] * 2
    assert all(after == 0 for _, after in spy.counts)


def test_curves_and_log(make_runner: Make, tmp_path: Path) -> None:
    model = make_model()
    expected = expected_rates(model)
    make_runner(model, [dict(type='mmsnn.FiringRateHook', interval=1)]).train()
    found = curves(tmp_path)
    layers = {f'firing_rate/{n.name}': n.firing_rate for n in expected.neurons}
    assert STEM in layers
    assert {tag for tag in found if tag.startswith('firing_rate/')} == set(layers)
    for tag, rate in layers.items():
        assert [step for step, _ in found[tag]] == [1, 2, 3, 4]
        assert found[tag][0][1] == pytest.approx(rate)
    assert found['firing_rate'][0] == (1, pytest.approx(expected.firing_rate))
    assert 0 < expected.firing_rate < 1
    # training has changed them
    assert len({rate for _, rate in found['firing_rate']}) == 4

    (log,) = tmp_path.glob('*/*.log')
    lines = [line for line in log.read_text().splitlines() if 'Epoch(train)' in line]
    assert len(lines) == 4
    assert f'firing_rate: {expected.firing_rate:.4f}' in lines[0]
    (scalars,) = tmp_path.glob('*/vis_data/scalars.json')
    entries = [json.loads(line) for line in scalars.read_text().splitlines()]
    places = [(e['epoch'], e['iter'], e['step']) for e in entries if STEM in e]
    assert places == [(1, 1, 1), (1, 2, 2), (2, 3, 3), (2, 4, 4)]


def test_loop_by_iterations_and_gradient_accumulation(
    make_runner: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # MMEngine waits for two seconds at the end of each epoch
    monkeypatch.setattr('mmengine.runner.loops.time.sleep', lambda seconds: None)
    runner = make_runner(
        make_model(),
        [dict(type='mmsnn.FiringRateHook', interval=2)],
        train_cfg=dict(by_epoch=False, max_iters=5),
        log_processor=dict(by_epoch=False),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1), accumulative_counts=2),
    )
    runner.train()
    assert [step for step, _ in curves(tmp_path)[STEM]] == [2, 4]
    assert runner.message_hub.get_scalar('train/firing_rate').data[1].sum() == 2


def test_measuring_changes_no_training(make_runner: Make) -> None:
    model, other = make_model(), make_model()
    make_runner(model, [dict(type='mmsnn.FiringRateHook', interval=1)]).train()
    make_runner(other, []).train()
    for one, two in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(one, two)


def test_resume(make_runner: Make, tmp_path: Path) -> None:
    hooks = [dict(type='mmsnn.FiringRateHook', interval=3)]
    make_runner(make_model(), hooks, epochs=1).train()
    assert STEM not in curves(tmp_path)
    state = str(tmp_path / 'epoch_1.pth')
    make_runner(make_model(), hooks, load_from=state, resume=True).train()
    assert [step for step, _ in curves(tmp_path)[STEM]] == [3]


def test_distributed_model(make_runner: Make, tmp_path: Path) -> None:
    store = f'file://{tmp_path}/store'
    dist.init_process_group('gloo', init_method=store, rank=0, world_size=1)
    try:
        model, spy = make_model(), Spy()
        expected = expected_rates(model)
        wrapped = MMDistributedDataParallel(model)
        hook = dict(type='mmsnn.FiringRateHook', interval=1)
        make_runner(wrapped, [hook, spy]).train()
    finally:
        dist.destroy_process_group()
    assert all(during > 0 and after == 0 for during, after in spy.counts)
    found = curves(tmp_path)
    assert found[STEM][0] == (1, pytest.approx(expected.neurons[0].firing_rate))


def test_only_the_first_process_measures(
    make_runner: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collect, 'is_main_process', lambda: False)
    spy = Spy()
    make_runner(make_model(), [FiringRateHook(1), spy]).train()
    assert spy.counts == [(0, 0)] * 4


class Breaking:
    """A loss that fails while it is told to."""

    def __init__(self, head: nn.Module) -> None:
        self.loss = head.loss
        self.broken = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.broken:
            raise OSError('no loss')
        return self.loss(*args, **kwargs)


@pytest.mark.parametrize('then', ['train', 'val', 'test'])
def test_after_a_failure_the_model_is_let_go(then: str, make_runner: Make) -> None:
    model, spy = make_model(), Spy()
    model.head.loss = Breaking(model.head)
    loader = make_loader(Frames(STEPS, 2, 8, 8))
    accuracy = dict(type='Accuracy', topk=(1,))
    evaluation = {
        f'{mode}_{key}': value
        for mode in ('val', 'test')
        for key, value in (('dataloader', loader), ('cfg', {}), ('evaluator', accuracy))
    }
    runner = make_runner(model, [FiringRateHook(1), spy], 1, **evaluation)
    with pytest.raises(OSError, match='no loss'):
        runner.train()
    assert registered(model) > 0
    model.head.loss.broken = False
    getattr(runner, then)()
    assert registered(model) == 0
    assert len(spy.counts) == (ITERATIONS if then == 'train' else 0)


class Keeping(FiringRateHook):
    """Keeps the collectors."""

    def __init__(self) -> None:
        super().__init__(1)
        self.kept: list[FiringRates] = []

    def scalars(self, collector: FiringRates) -> Any:
        self.kept.append(collector)
        return super().scalars(collector)


def tensors(value: Any) -> Iterator[torch.Tensor]:
    """Yield all tensors in what a collector keeps, but the model's."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict):
        yield from tensors(list(value.values()))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from tensors(item)
    elif hasattr(value, '__dict__') and not isinstance(value, nn.Module):
        yield from tensors(vars(value))


def test_no_graph_is_held(make_runner: Make) -> None:
    model, hook = make_model(), Keeping()
    outputs: list[weakref.ref] = []
    neuron = model.backbone.stem.neuron
    handle = neuron.register_forward_hook(
        lambda module, args, out: outputs.append(weakref.ref(out))
    )
    make_runner(model, [hook], epochs=1).train()
    handle.remove()
    gc.collect()
    assert len(hook.kept) == len(outputs) == ITERATIONS
    assert [output() for output in outputs] == [None] * ITERATIONS
    assert hook._collector is None
    kept = list(tensors(hook.kept))
    assert kept
    assert not any(tensor.requires_grad for tensor in kept)


def test_a_network_without_neurons_is_refused(make_runner: Make) -> None:
    cfg = dict(
        type='ImageClassifier',
        backbone=dict(type='LeNet5', num_classes=2),
        head=dict(type='ClsHead'),
    )
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(cfg)
    message = 'FiringRateHook: ImageClassifier has no spiking neurons'
    with pytest.raises(UserError, match=message):
        make_runner(model, [FiringRateHook()]).train()


def test_settings() -> None:
    assert HOOKS.build(dict(type='mmsnn.FiringRateHook')).interval == 500
    base = CollectHook(1)
    with pytest.raises(NotImplementedError, match='CollectHook defines no collector'):
        base.make_collector(nn.Identity())
    with pytest.raises(NotImplementedError, match='CollectHook defines no scalars'):
        base.scalars(None)


def test_nothing_is_measured_unless_a_config_says_so(make_runner: Make) -> None:
    runner = make_runner(make_model(), [])
    assert not any(isinstance(hook, CollectHook) for hook in runner.hooks)
