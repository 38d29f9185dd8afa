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

# What a line names, and the options of which each is answered by it: what is checked
# before anything is built (test_config_checks.py has the others), ...
SETTINGS = """
does not define | train_dataloader=None
at least 1 | train_dataloader.batch_size=0
at least 1 | test_dataloader.batch_size=0
at least 1 | train_cfg.val_interval=0
'Nope' | optim_wrapper.optimizer.type=Nope
modle | modle.backbone.depth=18
"""
# ... what cannot be built, ...
PARTS = """
train_dataloader | train_dataloader.batchsize=2 train_dataloader.sampler.type=Nope
    train_dataloader.sampler=None train_dataloader.batch_sampler.type=Nope
    train_dataloader.dataset.type=Nope train_dataloader.dataset.ann=x
    train_dataloader.dataset.indices=x train_dataloader.dataset.pipeline=x
    train_dataloader.dataset.pipeline.2.type=Nope
    train_dataloader.dataset.pipeline.3.prob=7
    train_dataloader.dataset.pipeline.0.type=RandomFlip
    train_dataloader.dataset.metainfo=3
train_cfg | train_cfg.type=Nope train_cfg.max_epoch=1 train_cfg.by_epoch=False
    train_cfg.dynamic_intervals=[1]
val_cfg | val_cfg.type=Nope
val_evaluator | val_evaluator.type=Nope val_evaluator.metric=nope
    val_evaluator.metrics=bbox
optim_wrapper | optim_wrapper.type=Nope optim_wrapper.constructor=Nope
    optim_wrapper.optimizer.learning_rate=1 optim_wrapper.paramwise_cfg.bias_lr_mult=x
param_scheduler | param_scheduler.0.type=Nope param_scheduler.0.end=-1
    param_scheduler.0.begin=x param_scheduler.0.start_factor=7
    param_scheduler.0.gamma=0.1 param_scheduler=3
default_hooks | default_hooks.checkpoint.type=Nope
    default_hooks.checkpoint.save_best=coco/nope default_hooks.checkpoint.rule=middle
    default_hooks.nope.type=Nope
custom_hooks | custom_hooks="[3]" custom_hooks=3
sed | randomness.sed=1
env_cfg | env_cfg.mp_cfg.mp_start_method=nope
log_processor | log_processor.type=Nope
visualizer | visualizer.type=Nope
model | model.type=Nope model.backbone=3 model.backbone.type=Nope
    model.backbone.depth=11 model.backbone.num_steps=0 model.backbone.variant=x
    model.backbone.out_indices=(1,2,9) model.backbone.out_indices=3
    model.backbone.frozen_stages=9 model.backbone.neuron.type=Nope
    model.neck.0.type=Nope model.neck.0.decoder.type=Nope model.neck.0.in_channels=x
    model.neck.1.num_outs=1 model.bbox_head=None model.bbox_head.type=Nope
    model.bbox_head.num_classes=0 model.bbox_head.loss_cls.type=Nope
    model.data_preprocessor.mean=[1,2] model.train_cfg.assigner.type=Nope
norm_cfg must | model.backbone.norm_cfg.type=Nope
conv_cfg must | model.backbone.conv_cfg.type=Nope
init_cfg | model.backbone.init_cfg.type=Nope
"""
# ... and what is built, but does not fit together.
MISFITS = """
neck.0.decoders.0, ASD | model.backbone.num_steps=2 model.backbone.out_indices=(0,1,2)
    model.backbone.base_channels=16 model.neck.0.num_steps=2
neck.0, SpikeDecoder | model.backbone.out_indices=(1,2)
    model.neck.0.in_channels=[16,32]
backbone.stem | model.backbone.in_channels=1 model.data_preprocessor=None
neck.0.decoders.2, ASD | model.neck.0.in_channels=[16,32,65]
neck.1, FPN | model.neck.1.in_channels=[16,32]
neck.1.lateral_convs.2 | model.neck.1.in_channels=[16,32,65]
bbox_head.cls_convs.0 | model.neck.1.out_channels=17 model.bbox_head.in_channels=17
bbox_head, RetinaHead | model.neck.1.num_outs=3 model.neck.1.num_outs=9
    model.bbox_head.anchor_generator.strides=[8,16]
bbox_head | model.neck=None model.train_cfg=None
    model.train_cfg.assigner.pos_iou_thr=x
bbox_head.loss_cls | model.bbox_head.loss_cls.gamma=x
data_preprocessor | model.data_preprocessor.pad_size_divisor=0
    train_dataloader.dataset.pipeline=[]
val_dataloader | model.test_cfg=None model.test_cfg.nms.type=nope
    model.test_cfg.score_thr=x val_dataloader.dataset.pipeline.1.scale=x
train_dataloader | train_dataloader.dataset.indices=0
    train_dataloader.dataset.pipeline.2.scale=x
    train_dataloader.dataset.pipeline.2.scale=(0,0)
    train_dataloader.dataset.pipeline.2.scale=(-5,3)
"""
CLASSIFIER = """
neck.0.decoders.0, ASD | model.backbone.num_steps=2 model.neck.0.in_channels=[65]
neck.0, SpikeDecoder | model.backbone.out_indices=(0,1)
backbone.stem | model.backbone.in_channels=1
model | model.neck.1.type=Nope model.head.loss.type=Nope
head | model.neck=None
head.fc, Linear | model.head.in_channels=65
train_dataloader | train_dataloader.dataset.pipeline.0.crop_size=0
    train_dataloader.drop_last=True
val_evaluator | val_evaluator.type=mmdet.CocoMetric
"""
TESTING = """
neck.0.decoders.0, ASD | model.neck.0.num_steps=2
test_dataloader | model.test_cfg.score_thr=x
    test_dataloader.dataset.pipeline.1.scale=x test_dataloader.dataset.type=Nope
test_evaluator | test_evaluator.type=Nope test_evaluator=None
test_cfg | test_cfg.type=Nope
model | model.backbone.depth=11
"""


def cases(table: str) -> list:
    """Return ``(option, expected)``; all but the first of each line are slow."""
    return [
        pytest.param(option, expected, marks=[pytest.mark.slow] * (index > 0))
        for line in table.strip().replace('\n    ', ' ').splitlines()
        for expected, options in [line.split(' | ')]
        for index, option in enumerate(options.split())
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


@pytest.mark.parametrize(
    ('option', 'expected'), [*cases(SETTINGS), *cases(PARTS), *cases(MISFITS)]
)
def test_a_detector(refuse: Callable, option: str, expected: str) -> None:
    assert expected in refuse(SPIKING, SMALL + TINY, option)


@pytest.mark.parametrize(('option', 'expected'), cases(CLASSIFIER))
def test_a_classifier(refuse: Callable, option: str, expected: str) -> None:
    assert expected in refuse(DIGITS, NARROW, option)


@pytest.mark.parametrize(('option', 'expected'), cases(TESTING))
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
    assert 'the model cannot process the images (neck.1.lateral_convs.2.conv' in line
