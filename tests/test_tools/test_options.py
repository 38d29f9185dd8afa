"""Options of the tools that the runs of the COCO configs do not use."""

import json
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

from mmsnn.cli import train

from .reports import columns_of, save_weights
from .tiny_coco import ANN, DETECT, NARROW, SMALL, SPIKING, Call

OWN = dict(type='AmpOptimWrapper', dtype='bfloat16', loss_scale=1.0)


@pytest.mark.parametrize(
    ('wrapper', 'expected'),
    [
        (
            dict(type='OptimWrapper'),
            dict(type='AmpOptimWrapper', loss_scale='dynamic'),
        ),
        (OWN, OWN),
    ],
)
def test_amp(wrapper: dict, expected: dict) -> None:
    cfg = Config(dict(optim_wrapper=wrapper))
    train.set_amp(cfg)
    assert cfg.optim_wrapper == expected


def test_auto_scale_lr() -> None:
    cfg = Config.fromfile(ANN)
    train.set_auto_scale_lr(cfg)
    assert cfg.auto_scale_lr == dict(enable=True, base_batch_size=16)


def test_tta(call_tool: Call, in_coco: Path, tmp_path: Path) -> None:
    save_weights(SPIKING, tmp_path / 'x.pth', NARROW)
    options = ['--tta', '--work-dir', tmp_path, '--cfg-options', *NARROW, DETECT]
    call_tool('test.py', SPIKING, tmp_path / 'x.pth', *options)
    assert columns_of(tmp_path)['mAP'] >= 0
    (dumped,) = tmp_path.glob('*/vis_data/config.py')
    cfg = Config.fromfile(dumped)
    assert cfg.model.type == 'DetTTAModel'
    assert cfg.model.module.type == 'RetinaNet'
    assert cfg.test_dataloader.dataset.pipeline[-1].type == 'TestTimeAug'


def test_a_checkpoint_that_fits_in_part_and_detects_nothing(
    call_tool: Call, in_coco: Path, tmp_path: Path
) -> None:
    save_weights(ANN, tmp_path / 'x.pth', drop='bbox_head.')
    options = ['--allow-partial', '--work-dir', tmp_path, '--cfg-options', *SMALL]
    nothing = DETECT.replace('0.0', '0.99')
    printed = call_tool('test.py', ANN, tmp_path / 'x.pth', *options, nothing)
    # 20 of RetinaNet's weights are in its head.
    assert f"warning: checkpoint '{tmp_path}/x.pth' fits 116 of the model's 136" in (
        printed.err
    )
    assert set(columns_of(tmp_path).values()) == {None}
    assert "'-': no object of that size, or nothing was detected" in printed.out


CLASSIFIER = """
default_scope = 'mmpretrain'
custom_imports = dict(imports=['mmsnn'])
model = dict(
    type='ImageClassifier',
    data_preprocessor=dict(num_classes=2, mean=[127.0] * 3, std=[60.0] * 3),
    backbone=dict(
        type='mmsnn.SGResNet', depth=10, num_steps=2, stem='cifar', base_channels=8
    ),
    neck=[
        dict(type='mmsnn.SpikeDecoder', decoder=dict(type='Rate'), in_channels=[64],
             num_steps=2),
        dict(type='GlobalAveragePooling'),
    ],
    head=dict(type='LinearClsHead', num_classes=2, in_channels=64, topk=(1,),
              loss=dict(type='CrossEntropyLoss')),
)
train_dataloader = dict(
    batch_size=2, num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='CustomDataset', data_root='{root}', data_prefix='images',
        pipeline=[dict(type='LoadImageFromFile'), dict(type='PackInputs')]),
)
val_dataloader = train_dataloader
test_dataloader = train_dataloader
val_evaluator = dict(type='Accuracy', topk=(1,))
test_evaluator = val_evaluator
train_cfg = dict(by_epoch=True, max_epochs=1)
val_cfg = dict()
test_cfg = dict()
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.1))
default_hooks = dict(visualization=dict(type='VisualizationHook', interval=1))
visualizer = dict(type='UniversalVisualizer',
                  vis_backends=[dict(type='LocalVisBackend')])
"""


def test_a_classifier(call_tool: Call, tmp_path: Path) -> None:
    """The tools know nothing of detection unless the config does."""
    rng = np.random.default_rng(0)
    for name in ('a', 'b'):
        folder = tmp_path / 'images' / name
        folder.mkdir(parents=True)
        for index in range(2):
            pixels = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f'{index}.png')
    config = tmp_path / 'classifier.py'
    config.write_text(CLASSIFIER.replace('{root}', str(tmp_path)))
    run = tmp_path / 'run'
    call_tool('train.py', config, '--work-dir', run)
    out = tmp_path / 'predictions.pkl'
    call_tool(
        *('test.py', config, run / 'epoch_1.pth', '--work-dir', run, '--out', out),
        *('--show-dir', 'pictures'),
    )
    assert out.stat().st_size > 0
    assert len(list((run / 'pictures').iterdir())) >= 1
    assert not list(run.rglob('coco_columns.json'))
    (logged,) = [
        line
        for path in run.glob('*/*.json')
        for line in path.read_text().splitlines()
        if 'accuracy/top1' in line
    ]
    assert 0 <= json.loads(logged)['accuracy/top1'] <= 100
