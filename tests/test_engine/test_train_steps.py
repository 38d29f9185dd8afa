"""Train with fewer steps than test: what the modules are at, and when."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.model import MMDistributedDataParallel
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import Dataset

from mmsnn.utils.errors import UserError

from .small_runs import (
    NO_EVALUATION,
    STEPS,
    Frames,
    evaluation,
    make_loader,
    make_model,
)

TRAIN_STEPS = 3
HOOK = dict(type='mmsnn.TrainStepsHook', train_steps=TRAIN_STEPS)
Make = Callable[..., Runner]


def parts_of(model: nn.Module) -> list[nn.Module]:
    return [part for part in model.modules() if hasattr(part, 'num_steps')]


def steps_of(model: nn.Module) -> set[int]:
    return {part.num_steps for part in parts_of(model)}


class Recorder(Hook):
    """Notes the shape of what enters the backbone, in training and in evaluation."""

    def __init__(self, model: nn.Module) -> None:
        self.seen: list[tuple[str, int, set[int]]] = []
        self.model = model
        model.backbone.register_forward_pre_hook(self._note)

    def _note(self, module: nn.Module, inputs: tuple[torch.Tensor]) -> None:
        mode = 'train' if module.training else 'test'
        self.seen.append((mode, inputs[0].shape[1], steps_of(self.model)))


@pytest.fixture
def make(make_runner: Make) -> Make:
    """Return what makes runners with the hook, which evaluate after each epoch."""

    def make(
        model: nn.Module,
        train: Dataset | None = None,
        test: Dataset | None = None,
        hooks: Any = (HOOK,),
        **settings: Any,
    ) -> Runner:
        loader = make_loader(train or Frames(TRAIN_STEPS, 2, 8, 8))
        cfg = dict(train_dataloader=loader, **evaluation(test))
        return make_runner(model, [*hooks], **(cfg | settings))

    return make


TRAINED = ('train', TRAIN_STEPS, {TRAIN_STEPS})
TESTED = ('test', STEPS, {STEPS})
EPOCH = [TRAINED] * 2 + [TESTED] * 2


def epochs(number: int) -> dict[str, Any]:
    return dict(train_cfg=dict(by_epoch=True, max_epochs=number, val_interval=1))


def test_two_epochs_and_a_test(make: Make) -> None:
    model = make_model()
    recorder = Recorder(model)
    runner = make(model, **epochs(2))
    before = [p.clone() for p in model.parameters()]
    runner.train()
    assert recorder.seen == EPOCH * 2
    assert steps_of(model) == {STEPS}
    # the stem, 3 neurons, the backbone, the neck and its decoder
    assert len(parts_of(model)) == 7
    assert not any(map(torch.equal, before, model.parameters()))
    recorder.seen.clear()
    runner.test()
    assert recorder.seen == [TESTED] * 2
    assert model(torch.rand(1, STEPS, 2, 8, 8)).shape == (1, 2)


def test_result_is_that_of_a_network_built_for_fewer_steps(make: Make) -> None:
    model, small = make_model(), make_model()
    for part in parts_of(small):
        part.num_steps = TRAIN_STEPS
    make(model, **NO_EVALUATION).train()
    make(small, hooks=[], **NO_EVALUATION).train()
    for one, other in zip(model.parameters(), small.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    ('options', 'needed', 'given'),
    [
        (dict(hooks=[]), STEPS, TRAIN_STEPS),
        (dict(train=Frames(STEPS, 2, 8, 8)), TRAIN_STEPS, STEPS),
    ],
)
def test_frames_of_another_number_are_refused(
    options: dict[str, Any], needed: int, given: int, make: Make
) -> None:
    """Those for fewer steps without the hook, and more with it."""
    message = (
        rf'frames of shape \[N, {needed}, 2, H, W\], but got \[2, {given}, 2, 8, 8\]'
    )
    with pytest.raises(ValueError, match=message):
        make(make_model(), **options).train()


def test_images_last_as_many_steps(make: Make) -> None:
    model = make_model()
    seen: list[tuple[bool, int]] = []
    model.neck[0].register_forward_pre_hook(
        lambda module, inputs: seen.append((module.training, len(inputs[0][0])))
    )
    images = Frames(2, 8, 8)
    make(model, images, images, **epochs(1)).train()
    assert seen == [(True, TRAIN_STEPS)] * 2 + [(False, STEPS)] * 2


def test_evaluation_within_an_epoch(make: Make) -> None:
    """As in a loop by iterations, whose only epoch holds all evaluations."""
    model = make_model()
    recorder = Recorder(model)
    cfg = dict(by_epoch=False, max_iters=2, val_interval=1)
    make(model, train_cfg=cfg).train()
    assert recorder.seen == ([TRAINED] + [TESTED] * 2) * 2


def test_resume(make: Make) -> None:
    runner = make(make_model(), **epochs(1))
    runner.train()
    model = make_model()
    recorder = Recorder(model)
    state = f'{runner.work_dir}/epoch_1.pth'
    make(model, load_from=state, resume=True, **epochs(2)).train()
    assert recorder.seen == EPOCH
    assert steps_of(model) == {STEPS}


def test_averaged_model(make: Make) -> None:
    model = make_model()
    recorder = Recorder(model)
    ema = dict(type='EMAHook', update_buffers=True, momentum=0.5)
    runner = make(model, hooks=[HOOK, ema], **epochs(1))
    runner.train()
    assert recorder.seen == EPOCH
    (hook,) = (h for h in runner.hooks if type(h).__name__ == 'EMAHook')
    assert steps_of(hook.ema_model) == {STEPS}
    weight, averaged = (m.head.fc.weight for m in (model, hook.ema_model.module))
    assert not torch.equal(weight, averaged)


def test_distributed_model(make: Make, one_process: None) -> None:
    model = make_model()
    recorder = Recorder(model)
    make(MMDistributedDataParallel(model), **epochs(1)).train()
    assert recorder.seen == EPOCH
    assert steps_of(model) == {STEPS}
    asd = MMDistributedDataParallel(make_model(decoder=dict(type='mmsnn.ASD')))
    with pytest.raises(ValueError, match="'neck.0.decoders.0.temporal'"):
        make(asd).train()


def test_after_a_failure_evaluation_and_training_are_right(make: Make) -> None:
    model = make_model()
    recorder = Recorder(model)
    runner = make(model, Frames(TRAIN_STEPS, 2, 8, 8, broken=2), **epochs(1))
    for evaluate in (runner.val, runner.test, None):
        recorder.seen.clear()
        with pytest.raises(OSError, match='cannot be read'):
            runner.train()
        assert recorder.seen == [TRAINED]
        assert steps_of(model) == {TRAIN_STEPS}
        if evaluate:
            evaluate()
            assert recorder.seen == [TRAINED] + [TESTED] * 2
            assert steps_of(model) == {STEPS}
    # training again straight after a failure
    runner.train_dataloader.dataset.broken = None
    recorder.seen.clear()
    runner.train()
    assert recorder.seen == EPOCH
    assert steps_of(model) == {STEPS}


def test_as_many_steps_as_testing(make: Make) -> None:
    """Nothing changes, so that nothing is refused."""
    model = make_model(decoder=dict(type='mmsnn.ASD'))
    recorder = Recorder(model)
    hook = dict(HOOK, train_steps=STEPS)
    make(model, Frames(STEPS, 2, 8, 8), hooks=[hook], **epochs(1)).train()
    assert [mode for mode, *_ in recorder.seen] == ['train'] * 2 + ['test'] * 2
    assert all(steps == {STEPS} for *_, steps in recorder.seen)


def stem(kind: str, **options: Any) -> dict[str, Any]:
    backbone = dict(type='mmsnn.SGResNet', depth=10, base_channels=4, in_channels=2)
    cfg = dict(type=kind, pool=False, **options)
    return dict(backbone=backbone | dict(num_steps=STEPS, stem=cfg))


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (
            dict(decoder=dict(type='mmsnn.ASD')),
            "TemporalAttention 'neck.0.decoders.0.temporal', which works on 4 time",
        ),
        (
            stem('GatedAttentionStem'),
            "TemporalScores 'backbone.stem.temporal', which works on 4 time steps",
        ),
        (stem('LatencyStem'), "LatencyStem 'backbone.stem'"),
        (stem('PhaseStem', period=4), "PhaseStem 'backbone.stem'"),
    ],
)
def test_parts_of_one_number_of_steps_are_named(
    options: dict[str, Any], message: str, make: Make
) -> None:
    model = make_model(**options)
    runner = make(model)
    with pytest.raises(UserError, match='train_steps=3 is impossible with ' + message):
        runner.train()
    assert runner.iter == 0
    assert steps_of(model) == {STEPS}


def test_networks_without_one_number_of_steps(make: Make) -> None:
    ann = make_model(backbone=dict(type='ResNet', depth=18))
    ann.neck = ann.neck[1]
    with pytest.raises(ValueError, match='but its parts have none'):
        make(ann).train()
    mixed = make_model()
    mixed.neck[0].num_steps = 9
    with pytest.raises(ValueError, match='but its parts have 4 and 9'):
        make(mixed).train()
