"""Train with fewer steps than test: what the modules are at, and when."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mmpretrain  # noqa: F401
import pytest
import torch
import torch.distributed as dist
from mmengine.hooks import Hook
from mmengine.model import MMDistributedDataParallel, is_model_wrapper
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner import Runner
from mmpretrain.structures import DataSample
from test_tools.conftest import separate_run
from torch import nn
from torch.utils.data import Dataset

from mmsnn.utils.errors import UserError

STEPS, TRAIN_STEPS = 4, 3
SAMPLES, BATCH = 4, 2
RATE = dict(type='mmsnn.Rate')
HOOK = dict(type='mmsnn.TrainStepsHook', train_steps=TRAIN_STEPS)


class Frames(Dataset):
    """Random frames, or images; the sample ``broken`` cannot be read."""

    def __init__(self, *shape: int, broken: int | None = None) -> None:
        generator = torch.Generator().manual_seed(0)
        self.inputs = 9 * torch.rand(SAMPLES, *shape, generator=generator)
        self.broken = broken

    def __len__(self) -> int:
        return SAMPLES

    def __getitem__(self, index: int) -> dict[str, Any]:
        if index == self.broken:
            raise OSError('a sample that cannot be read')
        sample = DataSample().set_gt_label(index % 2)
        return dict(inputs=self.inputs[index], data_samples=sample)


def make_loader(dataset: Dataset) -> dict[str, Any]:
    sampler = dict(type='DefaultSampler', shuffle=False)
    return dict(dataset=dataset, batch_size=BATCH, num_workers=0, sampler=sampler)


def make_model(
    backbone: dict[str, Any] | None = None, decoder: dict[str, Any] = RATE
) -> nn.Module:
    cfg = dict(
        type='ImageClassifier',
        backbone=backbone
        or dict(type='mmsnn.SevenBNet', num_steps=STEPS, out_indices=(0,)),
        neck=[
            dict(
                type='mmsnn.SpikeDecoder',
                in_channels=[32],
                num_steps=STEPS,
                decoder=decoder,
            ),
            dict(type='GlobalAveragePooling'),
        ],
        head=dict(
            type='LinearClsHead',
            num_classes=2,
            in_channels=32,
            loss=dict(type='CrossEntropyLoss'),
            topk=(1,),
        ),
    )
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return MODELS.build(cfg)


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
def make_runner(tmp_path: Path) -> Iterator[Callable[..., Runner]]:
    """Return what makes runners; their folders and global instances end here."""
    number = iter(range(9))

    def make(
        model: nn.Module,
        train: Dataset | None = None,
        test: Dataset | None = None,
        **settings: Any,
    ) -> Runner:
        cfg: dict[str, Any] = dict(
            work_dir=str(tmp_path),
            train_dataloader=make_loader(train or Frames(TRAIN_STEPS, 2, 8, 8)),
            val_dataloader=make_loader(test or Frames(STEPS, 2, 8, 8)),
            test_dataloader=make_loader(test or Frames(STEPS, 2, 8, 8)),
            train_cfg=dict(by_epoch=True, max_epochs=1, val_interval=1),
            val_cfg={},
            test_cfg={},
            val_evaluator=dict(type='Accuracy', topk=(1,)),
            test_evaluator=dict(type='Accuracy', topk=(1,)),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
            custom_hooks=[HOOK],
            randomness=dict(seed=0),
            default_scope='mmpretrain',
            experiment_name=f'{tmp_path.name}-{next(number)}',
            log_level='ERROR',
        )
        return Runner(model, **(cfg | settings))

    with separate_run():
        yield make


TRAINED = ('train', TRAIN_STEPS, {TRAIN_STEPS})
TESTED = ('test', STEPS, {STEPS})
EPOCH = [TRAINED] * 2 + [TESTED] * 2


def test_two_epochs_and_a_test(make_runner: Callable[..., Runner]) -> None:
    model = make_model()
    recorder = Recorder(model)
    cfg = dict(by_epoch=True, max_epochs=2, val_interval=1)
    runner = make_runner(model, train_cfg=cfg)
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


def test_result_is_that_of_a_network_built_for_fewer_steps(
    make_runner: Callable[..., Runner],
) -> None:
    model, small = make_model(), make_model()
    for part in parts_of(small):
        part.num_steps = TRAIN_STEPS
    make_runner(model, **no_evaluation()).train()
    make_runner(small, custom_hooks=[], **no_evaluation()).train()
    for one, other in zip(model.parameters(), small.parameters(), strict=True):
        assert torch.equal(one, other)


def no_evaluation() -> dict[str, None]:
    return dict(val_dataloader=None, val_cfg=None, val_evaluator=None)


def test_without_the_hook_the_network_refuses(
    make_runner: Callable[..., Runner],
) -> None:
    runner = make_runner(make_model(), custom_hooks=[])
    message = r'frames of shape \[N, 4, 2, H, W\], but got \[2, 3, 2, 8, 8\]'
    with pytest.raises(ValueError, match=message):
        runner.train()


def test_frames_of_another_number_are_refused(
    make_runner: Callable[..., Runner],
) -> None:
    runner = make_runner(make_model(), Frames(STEPS, 2, 8, 8))
    message = r'frames of shape \[N, 3, 2, H, W\], but got \[2, 4, 2, 8, 8\]'
    with pytest.raises(ValueError, match=message):
        runner.train()


def test_images_last_as_many_steps(make_runner: Callable[..., Runner]) -> None:
    model = make_model()
    seen: list[tuple[bool, int]] = []
    model.neck[0].register_forward_pre_hook(
        lambda module, inputs: seen.append((module.training, len(inputs[0][0])))
    )
    images = Frames(2, 8, 8)
    make_runner(model, images, images).train()
    assert seen == [(True, TRAIN_STEPS)] * 2 + [(False, STEPS)] * 2


def test_evaluation_within_an_epoch(make_runner: Callable[..., Runner]) -> None:
    """As in a loop by iterations, whose only epoch holds all evaluations."""
    model = make_model()
    recorder = Recorder(model)
    cfg = dict(by_epoch=False, max_iters=2, val_interval=1)
    make_runner(model, train_cfg=cfg).train()
    assert recorder.seen == ([TRAINED] + [TESTED] * 2) * 2


def test_resume(make_runner: Callable[..., Runner], tmp_path: Path) -> None:
    make_runner(make_model()).train()
    model = make_model()
    recorder = Recorder(model)
    cfg = dict(by_epoch=True, max_epochs=2, val_interval=1)
    make_runner(
        model, train_cfg=cfg, load_from=str(tmp_path / 'epoch_1.pth'), resume=True
    ).train()
    assert recorder.seen == EPOCH
    assert steps_of(model) == {STEPS}


def test_averaged_model(make_runner: Callable[..., Runner]) -> None:
    model = make_model()
    recorder = Recorder(model)
    ema = dict(type='EMAHook', update_buffers=True, momentum=0.5)
    runner = make_runner(model, custom_hooks=[HOOK, ema])
    runner.train()
    assert recorder.seen == EPOCH
    (hook,) = (h for h in runner.hooks if type(h).__name__ == 'EMAHook')
    assert steps_of(hook.ema_model) == {STEPS}
    weight, averaged = (m.head.fc.weight for m in (model, hook.ema_model.module))
    assert not torch.equal(weight, averaged)


def test_distributed_model(make_runner: Callable[..., Runner], tmp_path: Path) -> None:
    store = f'file://{tmp_path}/store'
    dist.init_process_group('gloo', init_method=store, rank=0, world_size=1)
    try:
        model = make_model()
        recorder = Recorder(model)
        wrapped = MMDistributedDataParallel(model)
        assert is_model_wrapper(wrapped)
        make_runner(wrapped).train()
        asd = MMDistributedDataParallel(make_model(decoder=dict(type='mmsnn.ASD')))
        with pytest.raises(ValueError, match="'neck.0.decoders.0.temporal'"):
            make_runner(asd).train()
    finally:
        dist.destroy_process_group()
    assert recorder.seen == EPOCH
    assert steps_of(model) == {STEPS}


def test_after_a_failure_evaluation_and_training_are_right(
    make_runner: Callable[..., Runner],
) -> None:
    model = make_model()
    recorder = Recorder(model)
    train = Frames(TRAIN_STEPS, 2, 8, 8, broken=2)
    runner = make_runner(model, train)
    for evaluate in (runner.val, runner.test):
        recorder.seen.clear()
        with pytest.raises(OSError, match='cannot be read'):
            runner.train()
        assert recorder.seen == [TRAINED]
        assert steps_of(model) == {TRAIN_STEPS}
        evaluate()
        assert recorder.seen == [TRAINED] + [TESTED] * 2
        assert steps_of(model) == {STEPS}
    # training again straight after a failure
    with pytest.raises(OSError, match='cannot be read'):
        runner.train()
    runner.train_dataloader.dataset.broken = None
    recorder.seen.clear()
    runner.train()
    assert recorder.seen == EPOCH
    assert steps_of(model) == {STEPS}


def test_as_many_steps_as_testing(make_runner: Callable[..., Runner]) -> None:
    """Nothing changes, so that nothing is refused."""
    model = make_model(decoder=dict(type='mmsnn.ASD'))
    recorder = Recorder(model)
    hook = dict(HOOK, train_steps=STEPS)
    make_runner(model, Frames(STEPS, 2, 8, 8), custom_hooks=[hook]).train()
    assert [mode for mode, *_ in recorder.seen] == ['train'] * 2 + ['test'] * 2
    assert all(steps == {STEPS} for *_, steps in recorder.seen)


def make_backbone(stem: str, **options: Any) -> dict[str, Any]:
    return dict(
        type='mmsnn.SGResNet',
        depth=10,
        base_channels=4,
        in_channels=2,
        num_steps=STEPS,
        stem=dict(type=stem, pool=False, **options),
    )


REFUSED = {
    'attention of the decoder': (
        dict(decoder=dict(type='mmsnn.ASD')),
        r"TemporalAttention 'neck.0.decoders.0.temporal', which works on 4 time steps",
    ),
    'attention of the stem': (
        dict(backbone=make_backbone('GatedAttentionStem')),
        r"TemporalScores 'backbone.stem.temporal', which works on 4 time steps",
    ),
    'time to first spike': (
        dict(backbone=make_backbone('LatencyStem')),
        r"LatencyStem 'backbone.stem'",
    ),
    'phases': (
        dict(backbone=make_backbone('PhaseStem', period=4)),
        r"PhaseStem 'backbone.stem'",
    ),
}


@pytest.mark.parametrize('case', REFUSED)
def test_parts_of_one_number_of_steps_are_named(
    case: str, make_runner: Callable[..., Runner]
) -> None:
    options, message = REFUSED[case]
    model = make_model(**options)
    runner = make_runner(model)
    with pytest.raises(UserError, match='train_steps=3 is impossible with ' + message):
        runner.train()
    assert runner.iter == 0
    assert steps_of(model) == {STEPS}
    assert issubclass(UserError, ValueError)


def test_networks_without_one_number_of_steps(
    make_runner: Callable[..., Runner],
) -> None:
    ann = make_model(backbone=dict(type='ResNet', depth=18))
    ann.neck = ann.neck[1]
    with pytest.raises(ValueError, match='but its parts have none'):
        make_runner(ann).train()
    mixed = make_model()
    mixed.neck[0].num_steps = 9
    with pytest.raises(ValueError, match='but its parts have 4 and 9'):
        make_runner(mixed).train()
