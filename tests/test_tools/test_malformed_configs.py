"""Malformed configs: each ends with one line and exit code 2, before any iteration."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseModel

from .tiny_coco import ATTENTIVE as DIGITS
from .tiny_coco import SMALL, SPIKING, Fail

TINY = [
    'model.backbone.depth=10',
    'model.backbone.base_channels=8',
    'model.neck.0.in_channels=[16,32,64]',
    'model.neck.1.in_channels=[16,32,64]',
    'model.neck.1.out_channels=16',
    'model.bbox_head.in_channels=16',
    'model.bbox_head.feat_channels=16',
    'model.bbox_head.stacked_convs=1',
    'model.test_cfg.nms_pre=20',
]
NARROW = [
    'model.backbone.base_channels=8',
    'model.neck.0.in_channels=[64]',
    'model.head.in_channels=64',
    'train_dataloader.dataset.indices=8',
]

# What is checked before anything is built; test_config_checks.py has the others.
SETTINGS = """
train_dataloader=None | does not define
train_dataloader.batch_size=0 | at least 1
test_dataloader.batch_size=0 | at least 1
train_cfg.val_interval=0 | at least 1
optim_wrapper.optimizer.type=Nope | 'Nope'
modle.backbone.depth=18 | modle
"""

# What cannot be built; the part of the config that the message names.
PARTS = """
train_dataloader.batchsize=2 | train_dataloader
train_dataloader.sampler.type=Nope | train_dataloader
train_dataloader.sampler=None | train_dataloader
train_dataloader.batch_sampler.type=Nope | train_dataloader
train_dataloader.dataset.type=Nope | train_dataloader
train_dataloader.dataset.ann=x | train_dataloader
train_dataloader.dataset.indices=x | train_dataloader
train_dataloader.dataset.pipeline=x | train_dataloader
train_dataloader.dataset.pipeline.2.type=Nope | train_dataloader
train_dataloader.dataset.pipeline.3.prob=7 | train_dataloader
train_dataloader.dataset.pipeline.0.type=RandomFlip | train_dataloader
train_dataloader.dataset.metainfo=3 | train_dataloader
train_cfg.type=Nope | train_cfg
train_cfg.max_epoch=1 | train_cfg
train_cfg.by_epoch=False | train_cfg
train_cfg.dynamic_intervals=[1] | train_cfg
val_cfg.type=Nope | val_cfg
val_evaluator.type=Nope | val_evaluator
val_evaluator.metric=nope | val_evaluator
val_evaluator.metrics=bbox | val_evaluator
optim_wrapper.type=Nope | optim_wrapper
optim_wrapper.constructor=Nope | optim_wrapper
optim_wrapper.optimizer.learning_rate=1 | optim_wrapper
optim_wrapper.paramwise_cfg.bias_lr_mult=x | optim_wrapper
param_scheduler.0.type=Nope | param_scheduler
param_scheduler.0.end=-1 | param_scheduler
param_scheduler.0.begin=x | param_scheduler
param_scheduler.0.start_factor=7 | param_scheduler
param_scheduler.0.gamma=0.1 | param_scheduler
param_scheduler=3 | param_scheduler
default_hooks.checkpoint.type=Nope | default_hooks
default_hooks.checkpoint.save_best=coco/nope | default_hooks
default_hooks.checkpoint.rule=middle | default_hooks
default_hooks.nope.type=Nope | default_hooks
custom_hooks="[3]" | custom_hooks
custom_hooks=3 | custom_hooks
randomness.sed=1 | sed
env_cfg.mp_cfg.mp_start_method=nope | env_cfg
log_processor.type=Nope | log_processor
visualizer.type=Nope | visualizer
model.type=Nope | model
model.backbone=3 | model
model.backbone.type=Nope | model
model.backbone.depth=11 | model
model.backbone.num_steps=0 | model
model.backbone.variant=x | model
model.backbone.out_indices=(1,2,9) | model
model.backbone.out_indices=3 | model
model.backbone.frozen_stages=9 | model
model.backbone.neuron.type=Nope | model
model.backbone.norm_cfg.type=Nope | norm_cfg must
model.backbone.conv_cfg.type=Nope | conv_cfg must
model.backbone.init_cfg.type=Nope | init_cfg
model.neck.0.type=Nope | model
model.neck.0.decoder.type=Nope | model
model.neck.0.in_channels=x | model
model.neck.1.num_outs=1 | model
model.bbox_head=None | model
model.bbox_head.type=Nope | model
model.bbox_head.num_classes=0 | model
model.bbox_head.loss_cls.type=Nope | model
model.data_preprocessor.mean=[1,2] | model
model.train_cfg.assigner.type=Nope | model
"""

# What is built and does not fit together; the part that the message names.
MISFITS = """
model.backbone.num_steps=2 | neck.0.decoders.0, ASD
model.backbone.out_indices=(1,2) | neck.0, SpikeDecoder
model.backbone.out_indices=(0,1,2) | neck.0.decoders.0, ASD
model.backbone.base_channels=16 | neck.0.decoders.0, ASD
model.backbone.in_channels=1 | backbone.stem
model.neck.0.num_steps=2 | neck.0.decoders.0, ASD
model.neck.0.in_channels=[16,32] | neck.0, SpikeDecoder
model.neck.0.in_channels=[16,32,65] | neck.0.decoders.2, ASD
model.neck.1.in_channels=[16,32] | neck.1, FPN
model.neck.1.in_channels=[16,32,65] | neck.1.lateral_convs.2
model.neck.1.out_channels=17 | bbox_head.cls_convs.0
model.neck.1.num_outs=3 | bbox_head, RetinaHead
model.neck.1.num_outs=9 | bbox_head, RetinaHead
model.neck=None | bbox_head
model.bbox_head.in_channels=17 | bbox_head.cls_convs.0
model.bbox_head.anchor_generator.strides=[8,16] | bbox_head, RetinaHead
model.bbox_head.loss_cls.gamma=x | bbox_head.loss_cls
model.data_preprocessor=None | backbone.stem
model.data_preprocessor.pad_size_divisor=0 | data_preprocessor
model.train_cfg=None | bbox_head
model.train_cfg.assigner.pos_iou_thr=x | bbox_head
model.test_cfg=None | val_dataloader
model.test_cfg.nms.type=nope | val_dataloader
model.test_cfg.score_thr=x | val_dataloader
train_dataloader.dataset.indices=0 | train_dataloader
train_dataloader.dataset.pipeline=[] | data_preprocessor
train_dataloader.dataset.pipeline.2.scale=x | train_dataloader
train_dataloader.dataset.pipeline.2.scale=(0,0) | train_dataloader
train_dataloader.dataset.pipeline.2.scale=(-5,3) | train_dataloader
val_dataloader.dataset.pipeline.1.scale=x | val_dataloader
"""

CLASSIFIER = """
model.backbone.num_steps=2 | neck.0.decoders.0, ASD
model.backbone.out_indices=(0,1) | neck.0, SpikeDecoder
model.backbone.in_channels=1 | backbone.stem
model.neck.0.in_channels=[65] | neck.0.decoders.0, ASD
model.neck.1.type=Nope | model
model.neck=None | head
model.head.in_channels=65 | head.fc, Linear
model.head.loss.type=Nope | model
train_dataloader.dataset.pipeline.0.crop_size=0 | train_dataloader
train_dataloader.drop_last=True | train_dataloader
val_evaluator.type=mmdet.CocoMetric | val_evaluator
"""


def cases(table: str, every: int = 1) -> list:
    """Return the rows as parameters; all but each ``every``-th are slow."""
    rows = [line.split(' | ') for line in table.strip().splitlines()]
    return [
        pytest.param(*row, marks=() if index % every == 0 else pytest.mark.slow)
        for index, row in enumerate(rows)
    ]


@pytest.fixture(autouse=True)
def _fast(in_coco: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what takes time and shows nothing; let no iteration begin."""
    monkeypatch.setattr(Config, 'pretty_text', property(lambda self: ''))
    monkeypatch.setattr('mmengine.runner.runner.collect_env', dict)

    def began(*args: object, **options: object) -> None:
        raise AssertionError('an iteration has begun')

    monkeypatch.setattr(BaseModel, 'train_step', began)


@pytest.fixture
def refuse(fail_tool: Fail, tmp_path: Path) -> Callable[..., str]:
    def run(config: Path, options: list[str], option: str) -> str:
        return fail_tool(
            *('train.py', config, '--work-dir', tmp_path / 'run'),
            *('--cfg-options', *options, option),
        )

    return run


SPIKING_ROWS = [*cases(SETTINGS), *cases(PARTS, every=4), *cases(MISFITS, every=4)]


@pytest.mark.parametrize(('option', 'expected'), SPIKING_ROWS)
def test_a_detector(refuse: Callable, option: str, expected: str) -> None:
    assert expected in refuse(SPIKING, SMALL + TINY, option)


@pytest.mark.parametrize(('option', 'expected'), cases(CLASSIFIER, every=4))
def test_a_classifier(refuse: Callable, option: str, expected: str) -> None:
    assert expected in refuse(DIGITS, NARROW, option)


TESTING = """
model.neck.0.num_steps=2 | neck.0.decoders.0, ASD
model.test_cfg.score_thr=x | test_dataloader
test_dataloader.dataset.pipeline.1.scale=x | test_dataloader
test_dataloader.dataset.type=Nope | test_dataloader
test_evaluator.type=Nope | test_evaluator
test_evaluator=None | test_evaluator
test_cfg.type=Nope | test_cfg
model.backbone.depth=11 | model
"""


@pytest.mark.parametrize(('option', 'expected'), cases(TESTING, every=2))
def test_testing(fail_tool: Fail, tmp_path: Path, option: str, expected: str) -> None:
    torch.save({'backbone.stem.encode.norm.weight': torch.ones(8)}, tmp_path / 'a.pth')
    line = fail_tool(
        *('test.py', SPIKING, tmp_path / 'a.pth', '--work-dir', tmp_path / 'run'),
        '--allow-partial',
        *('--cfg-options', *SMALL, *TINY, option),
    )
    assert expected in line


SLOW = ('firing_rate', 'spikes', 'coding_dynamics', 'gradient_flow')


@pytest.mark.parametrize(
    ('tool', 'images'),
    [
        ('get_flops', ['--shape', '64']),
        ('benchmark', ['--shape', '64', '--task', 'inference']),
        ('energy', ['--random']),
        *(pytest.param(tool, ['--random'], marks=pytest.mark.slow) for tool in SLOW),
    ],
)
def test_analyses(fail_tool: Fail, tool: str, images: list[str]) -> None:
    line = fail_tool(
        *(tool, SPIKING, *images),
        *('--cfg-options', *SMALL, *TINY, 'model.neck.1.in_channels=[16,32,65]'),
    )
    assert 'the images do not pass the model (neck.1.lateral_convs.2.conv' in line
