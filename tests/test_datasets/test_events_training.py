"""From event files to a trained classifier: data set, loader, MMPretrain, Runner."""

import multiprocessing
import re
from pathlib import Path
from typing import Any

import mmpretrain  # noqa: F401
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DATASETS, MODELS, DefaultScope
from mmengine.runner import Runner
from mmengine_instances import separate_run
from torch import nn

import mmsnn  # noqa: F401
from mmsnn.utils.errors import UserError

from .event_files import write_cifar10_dvs

BASES = Path(__file__).resolve().parents[2] / 'configs/_base_/datasets'
NUM_STEPS = 4
CLASSES = {'cifar10_dvs': 10, 'dvs128_gesture': 11}
ROOTS = {'cifar10_dvs': 'cifar10_dvs', 'dvs128_gesture': 'gesture'}


@pytest.fixture(params=list(ROOTS))
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def cfg(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> Config:
    return make_config(name, request.getfixturevalue(ROOTS[name]), tmp_path)


def make_model(num_classes: int, num_steps: int = NUM_STEPS) -> dict[str, Any]:
    """Two stages of 7B-Net as a classifier."""
    decoder = dict(type='mmsnn.SpikeDecoder', in_channels=[32], num_steps=num_steps)
    return dict(
        type='mmpretrain.ImageClassifier',
        backbone=dict(type='mmsnn.SevenBNet', num_steps=num_steps, out_indices=(1,)),
        neck=[decoder, dict(type='mmpretrain.GlobalAveragePooling')],
        head=dict(
            type='mmpretrain.LinearClsHead',
            num_classes=num_classes,
            in_channels=32,
            loss=dict(type='mmpretrain.CrossEntropyLoss'),
        ),
    )


def make_config(name: str, data_root: Path, work_dir: Path) -> Config:
    """Return the data set's own config with another root, 4 small frames, and a run."""
    cfg = Config.fromfile(BASES / f'{name}.py')
    flip = dict(type='mmsnn.RandomFlipFrames')
    for split, extra in (('train', [flip]), ('val', []), ('test', [])):
        loader = cfg[f'{split}_dataloader']
        loader.update(num_workers=0, persistent_workers=False)
        load, pack = loader.dataset.pipeline
        assert load.num_steps == 16
        load.num_steps = NUM_STEPS
        resize = dict(type='mmsnn.ResizeFrames', size=32, interpolation='sum')
        loader.dataset.pipeline = [load, resize, *extra, pack]
        loader.dataset.data_root = str(data_root)
    cfg.merge_from_dict(
        dict(
            default_scope='mmpretrain',
            model=make_model(CLASSES[name]),
            work_dir=str(work_dir),
            train_cfg=dict(by_epoch=True, max_epochs=1, val_interval=1),
            val_cfg={},
            test_cfg={},
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
            experiment_name=name,
            randomness=dict(seed=0),
            log_level='ERROR',
        )
    )
    return cfg


def test_trains_an_epoch_and_evaluates(name: str, cfg: Config) -> None:
    if name == 'cifar10_dvs':
        cfg.train_dataloader.dataset.indices = [*range(0, 110, 3)]
    with separate_run():
        runner = Runner.from_cfg(cfg)
        before = {k: v.clone() for k, v in runner.model.named_parameters()}
        shapes: list[list[int]] = []
        runner.model.backbone.register_forward_pre_hook(
            lambda _, inputs: shapes.append(list(inputs[0].shape))
        )
        runner.train()
        metrics = runner.test()
    steps = {'cifar10_dvs': 37, 'dvs128_gesture': 24}[name] // 16
    assert runner.iter == steps
    assert shapes[:steps] == [[16, NUM_STEPS, 2, 32, 32]] * steps
    assert all(shape[1:] == [NUM_STEPS, 2, 32, 32] for shape in shapes)
    # by the evaluation after the epoch, and the test
    tested = sum(shape[0] for shape in shapes[steps:])
    assert tested == 2 * len(runner.test_dataloader.dataset)
    assert set(metrics) == {'accuracy/top1', 'accuracy/top5'}
    assert 0 <= metrics['accuracy/top1'] <= metrics['accuracy/top5'] <= 100
    parameters = dict(runner.model.named_parameters())
    assert not [key for key in before if torch.equal(parameters[key], before[key])]


def first_batch(loader: Any) -> Any:
    with separate_run(), DefaultScope.overwrite_default_scope('mmpretrain'):
        return next(iter(Runner.build_dataloader(loader)))


def test_samples_know_where_they_are_from(cfg: Config) -> None:
    batch = first_batch(cfg.val_dataloader)
    sample = batch['data_samples'][0]
    assert batch['inputs'].dtype == torch.float32
    assert Path(sample.event_path).is_file()
    assert sample.ori_shape == (128, 128) and sample.img_shape == (32, 32)
    assert sample.gt_label.tolist() == [0]


def test_pipeline_of_the_guide(cfg: Config, tmp_path: Path) -> None:
    """On samples of enough events, with all transforms, in their order."""
    page = BASES.parents[2] / 'docs/events.md'
    snippet = re.search(r'```python\n(.*?)```', page.read_text(), re.DOTALL)[1]
    scope: dict[str, Any] = {}
    exec(snippet, scope)
    scope['pipeline'][0]['cache_dir'] = str(tmp_path)
    dataset = cfg.train_dataloader.dataset
    options = dict(data_root=dataset.data_root, pipeline=scope['pipeline'])
    inputs = DATASETS.build(dict(type=dataset.type, **options))[23]['inputs']
    assert list(inputs.shape) == [12, 2, 48, 48]
    assert inputs.dtype == torch.float32 and inputs.any()


def build_classifier(num_steps: int) -> nn.Module:
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return MODELS.build(make_model(10, num_steps))


@pytest.mark.parametrize('collate', ['default_collate', 'pseudo_collate'])
def test_both_ways_to_collate(collate: str, cifar10_dvs: Path, tmp_path: Path) -> None:
    loader = make_config('cifar10_dvs', cifar10_dvs, tmp_path).train_dataloader
    loader.collate_fn = dict(type=collate)
    model = build_classifier(NUM_STEPS)
    batch = model.data_preprocessor(first_batch(loader), training=True)
    assert list(batch['inputs'].shape) == [16, NUM_STEPS, 2, 32, 32]
    assert model(**batch, mode='loss')['loss'].isfinite()


def test_backbone_says_when_frames_are_too_many_or_few() -> None:
    message = r'frames of shape \[N, 6, 2, H, W\], but got \[1, 4, 2, 32, 32\]'
    with pytest.raises(ValueError, match=message):
        build_classifier(num_steps=6)(torch.zeros(1, 4, 2, 32, 32))


def test_damaged_file_is_named_through_a_worker(tmp_path: Path) -> None:
    write_cifar10_dvs(tmp_path, 2)
    path = tmp_path / 'airplane/cifar10_airplane_0.aedat'
    path.write_bytes(path.read_bytes()[:-3])
    loader = make_config('cifar10_dvs', tmp_path, tmp_path).train_dataloader
    loader.num_workers = 1
    loader.sampler.shuffle = False
    with pytest.raises(UserError, match='cifar10_airplane_0.aedat.*cut off'):
        first_batch(loader)
    # when its loader is collected as garbage, which waits for it, its queue is closed
    for worker in multiprocessing.active_children():
        worker.terminate()
