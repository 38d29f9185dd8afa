"""From event files to a trained classifier: data set, loader, MMPretrain, Runner."""

import re
from pathlib import Path
from typing import Any

import mmpretrain  # noqa: F401
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DATASETS, MODELS, DefaultScope
from mmengine.runner import Runner
from test_tools.conftest import separate_run
from torch import nn

import mmsnn  # noqa: F401
from mmsnn.utils.errors import UserError

from .event_files import write_cifar10_dvs, write_dvs128_gesture

BASES = Path(__file__).resolve().parents[2] / 'configs/_base_/datasets'
NUM_STEPS = 4
WRITERS = {'cifar10_dvs': write_cifar10_dvs, 'dvs128_gesture': write_dvs128_gesture}
CLASSES = {'cifar10_dvs': 10, 'dvs128_gesture': 11}
TRAIN_SAMPLES = {'cifar10_dvs': 110, 'dvs128_gesture': 24}


@pytest.fixture(scope='module', params=list(WRITERS))
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope='module')
def data_root(name: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp(name)
    WRITERS[name](root)
    return root


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
    for split, extra in (
        ('train', [dict(type='mmsnn.RandomFlipFrames')]),
        ('val', []),
        ('test', []),
    ):
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


def test_trains_an_epoch_and_evaluates(
    name: str, data_root: Path, tmp_path: Path
) -> None:
    with separate_run():
        runner = Runner.from_cfg(make_config(name, data_root, tmp_path))
        before = {k: v.clone() for k, v in runner.model.named_parameters()}
        shapes: list[list[int]] = []
        runner.model.backbone.register_forward_pre_hook(
            lambda _, inputs: shapes.append(list(inputs[0].shape))
        )
        runner.train()
        metrics = runner.test()
    steps = TRAIN_SAMPLES[name] // 16
    assert runner.iter == steps
    assert shapes[:steps] == [[16, NUM_STEPS, 2, 32, 32]] * steps
    assert all(shape[1:] == [NUM_STEPS, 2, 32, 32] for shape in shapes)
    tested = sum(shape[0] for shape in shapes[steps:])
    # by the evaluation behind the epoch, and the test
    assert tested == 2 * len(runner.test_dataloader.dataset)
    assert set(metrics) == {'accuracy/top1', 'accuracy/top5'}
    assert 0 <= metrics['accuracy/top1'] <= metrics['accuracy/top5'] <= 100
    silent = [
        key
        for key, value in runner.model.named_parameters()
        if torch.equal(value, before[key])
    ]
    assert silent == []


def test_samples_know_where_they_are_from(
    name: str, data_root: Path, tmp_path: Path
) -> None:
    cfg = make_config(name, data_root, tmp_path)
    with separate_run(), DefaultScope.overwrite_default_scope('mmpretrain'):
        loader = Runner.build_dataloader(cfg.val_dataloader)
        batch = next(iter(loader))
    sample = batch['data_samples'][0]
    assert batch['inputs'].dtype == torch.float32
    assert Path(sample.event_path).is_file()
    assert sample.ori_shape == (128, 128) and sample.img_shape == (32, 32)
    assert sample.gt_label.tolist() == [0]


def test_pipeline_of_the_guide(data_root: Path, name: str, tmp_path: Path) -> None:
    """On samples of enough events, with all transforms, in their order."""
    page = BASES.parents[2] / 'docs/events.md'
    snippet = re.search(r'```python\n(.*?)```', page.read_text(), re.DOTALL)[1]
    scope: dict[str, Any] = {}
    exec(snippet, scope)
    pipeline = scope['pipeline']
    pipeline[0]['cache_dir'] = str(tmp_path)
    dataset_type = make_config(name, data_root, tmp_path).train_dataloader.dataset.type
    cfg = dict(type=dataset_type, data_root=str(data_root), pipeline=pipeline)
    inputs = DATASETS.build(cfg)[23]['inputs']
    assert list(inputs.shape) == [12, 2, 48, 48]
    assert inputs.dtype == torch.float32 and inputs.any()


def build_classifier(num_steps: int) -> nn.Module:
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return MODELS.build(make_model(10, num_steps))


@pytest.mark.parametrize('collate', ['default_collate', 'pseudo_collate'])
def test_both_ways_to_collate(collate: str, tmp_path: Path) -> None:
    write_cifar10_dvs(tmp_path / 'set', 4)
    cfg = make_config('cifar10_dvs', tmp_path / 'set', tmp_path)
    loader_cfg = cfg.train_dataloader
    loader_cfg.collate_fn = dict(type=collate)
    with separate_run(), DefaultScope.overwrite_default_scope('mmpretrain'):
        loader = Runner.build_dataloader(loader_cfg)
        model = build_classifier(NUM_STEPS)
        batch = model.data_preprocessor(next(iter(loader)), training=True)
    assert list(batch['inputs'].shape) == [16, NUM_STEPS, 2, 32, 32]
    assert model(**batch, mode='loss')['loss'].isfinite()


def test_backbone_says_when_frames_are_too_many_or_few() -> None:
    model = build_classifier(num_steps=6)
    message = r'frames of shape \[N, 6, 2, H, W\], but got \[1, 4, 2, 32, 32\]'
    with pytest.raises(ValueError, match=message):
        model(torch.zeros(1, 4, 2, 32, 32))


def test_damaged_file_is_named_through_a_worker(tmp_path: Path) -> None:
    write_cifar10_dvs(tmp_path, 4)
    path = tmp_path / 'airplane/cifar10_airplane_0.aedat'
    path.write_bytes(path.read_bytes()[:-3])
    cfg = make_config('cifar10_dvs', tmp_path, tmp_path)
    loader_cfg = cfg.train_dataloader
    loader_cfg.num_workers = 1
    loader_cfg.sampler.shuffle = False
    with separate_run(), DefaultScope.overwrite_default_scope('mmpretrain'):
        loader = Runner.build_dataloader(loader_cfg)
        with pytest.raises(UserError, match='cifar10_airplane_0.aedat.*cut off'):
            next(iter(loader))
