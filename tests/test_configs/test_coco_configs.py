"""The COCO configs against the SG ResNet paper (Zhang et al. 2023)."""

from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from torch import nn

from .files import CONFIGS, setting, shared

SUFFIX = 'fpn_8xb2-amp-72e_coco.py'
SPIKING = 'spiking_retinanet/spiking-retinanet_sg'

# Table 4: network, backbone, its depth, decoder.
TABLE_4 = {
    f'{name}_{SUFFIX}': row
    for name, row in {
        'retinanet/retinanet_r18': ('ResNet', 18, None),
        'retinanet/retinanet_r34': ('ResNet', 34, None),
        f'{SPIKING}-r18-rate': ('mmsnn.SGResNet', 18, 'Rate'),
        f'{SPIKING}-r18-asd': ('mmsnn.SGResNet', 18, 'ASD'),
        f'{SPIKING}-r34-rate': ('mmsnn.SGResNet', 34, 'Rate'),
        f'{SPIKING}-r34-asd': ('mmsnn.SGResNet', 34, 'ASD'),
    }.items()
}
FASTER = f'spiking_faster_rcnn/spiking-faster-rcnn_sg-r18-asd_{SUFFIX}'

TRAIN, TEST = 'train_dataloader.dataset', 'test_dataloader.dataset'
INSTANCES = 'annotations/instances_{}2017.json'
# Where the paper says it -> the setting in a config -> its value.
PAPER: dict[tuple[str, str], Any] = {
    ('Table 2, epochs', 'train_cfg.max_epochs'): 72,
    ('Table 2, T_step', 'param_scheduler.1.milestones'): [64, 70],
    ('Table 2, step schedule', 'param_scheduler.1.type'): 'MultiStepLR',
    ('Table 2, learning rate', 'optim_wrapper.optimizer.lr'): 0.01,
    ('Table 2, weight decay', 'optim_wrapper.optimizer.weight_decay'): 0.0001,
    ('Table 2, batch size', 'train_dataloader.batch_size'): 2,
    ('Table 2, batch size x GPUs', 'auto_scale_lr.base_batch_size'): 16,
    ('Section 5, optimizer', 'optim_wrapper.optimizer.type'): 'SGD',
    ('Section 5, momentum', 'optim_wrapper.optimizer.momentum'): 0.9,
    ('Section 5, mixed precision', 'optim_wrapper.type'): 'AmpOptimWrapper',
    ('Section 5.2, image size', 'train_pipeline.2.scale'): (1333, 800),
    ('Section 5.2, flip', 'train_pipeline.3.type'): 'RandomFlip',
    ('Section 5.2, flip ratio', 'train_pipeline.3.prob'): 0.5,
    ('Section 5.2, train set of 2017', f'{TRAIN}.ann_file'): INSTANCES.format('train'),
    ('Section 5.2, train set of 2017', f'{TRAIN}.data_prefix.img'): 'train2017/',
    ('Section 5.2, val set of 2017', f'{TEST}.ann_file'): INSTANCES.format('val'),
    ('Section 5.2, val set of 2017', f'{TEST}.data_prefix.img'): 'val2017/',
    ('Section 5.2, 80 classes', 'model.bbox_head.num_classes'): 80,
    ('Section 4.3, stages 2 to 4', 'model.backbone.out_indices'): (1, 2, 3),
    ('Section 4.3, P3', 'model.bbox_head.anchor_generator.strides.0'): 8,
    ('Section 4.3, P7', 'model.bbox_head.anchor_generator.strides.4'): 128,
    ('Section 4.3, 4 convolutions', 'model.bbox_head.stacked_convs'): 4,
}


def load(name: str) -> Config:
    return shared(CONFIGS / name)


@pytest.mark.parametrize('name', TABLE_4)
def test_setting_is_the_papers(name: str) -> None:
    for (where, key), value in PAPER.items():
        assert setting(load(name), key) == value, where


@pytest.mark.parametrize(('name', 'row'), TABLE_4.items())
def test_network_is_the_papers(name: str, row: tuple[str, int, str | None]) -> None:
    backbone_type, depth, decoder = row
    model = load(name).model
    assert (model.type, model.backbone.type) == ('RetinaNet', backbone_type)
    assert model.backbone.depth == depth
    necks = model.neck if isinstance(model.neck, list) else [model.neck]
    fpn = necks[-1]
    assert (fpn.type, fpn.out_channels, fpn.num_outs) == ('FPN', 256, 5)
    assert fpn.in_channels == [128, 256, 512]
    if decoder is None:
        assert len(necks) == 1
    else:
        # Section 5.2: T = 4. Section 4.3: an independent decoder a level.
        assert necks[0].type == 'mmsnn.SpikeDecoder'
        assert necks[0].decoder.type == decoder
        assert necks[0].in_channels == fpn.in_channels
        assert model.backbone.num_steps == necks[0].num_steps == 4


@pytest.mark.parametrize('name', TABLE_4)
def test_all_are_trained_alike(name: str) -> None:
    """Only the backbone and the decoder differ: the comparison is fair."""
    cfg, baseline = load(name).to_dict(), load(next(iter(TABLE_4))).to_dict()
    for other in (cfg, baseline):
        backbone = other['model'].pop('backbone')
        assert backbone['norm_cfg'] == dict(type='SyncBN')
        # From scratch: nothing pretrained, nothing frozen.
        assert backbone.get('init_cfg') is None
        assert backbone.get('frozen_stages', -1) == -1
        assert backbone.get('norm_eval', False) is False
        necks = other['model'].pop('neck')
        other['model']['fpn'] = necks[-1] if isinstance(necks, list) else necks
        for name_of_variable in ('in_channels', 'num_steps'):
            other.pop(name_of_variable, None)
    assert cfg == baseline


@pytest.mark.parametrize(
    'name',
    [
        f'retinanet/retinanet_r18_{SUFFIX}',
        f'{SPIKING}-r18-asd_{SUFFIX}',
        FASTER,
        '_base_/models/faster-rcnn_r18_fpn.py',
    ],
)
def test_weights_start_alike(name: str) -> None:
    """Kaiming's convolutions, norms at 1: no block of either kind starts silent."""
    cfg = dict(load(name).model.backbone, norm_cfg=dict(type='BN'))
    with DefaultScope.overwrite_default_scope('mmdet'):
        backbone = MODELS.build(cfg)
    torch.manual_seed(0)
    backbone.init_weights()
    for module in backbone.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert (module.weight == 1).all()
            assert not module.bias.any()
        if isinstance(module, nn.Conv2d):
            fan_out = module.weight[:, 0].numel()
            wanted = pytest.approx((2 / fan_out) ** 0.5, rel=0.1)
            assert module.weight.std().item() == wanted


def test_faster_rcnn_differs_in_backbone_and_neck_only() -> None:
    spiking = load(FASTER).model.to_dict()
    plain = Config.fromfile(CONFIGS / '_base_/models/faster-rcnn_r18_fpn.py').model
    differing = {key for key in spiking if spiking[key] != plain[key]}
    assert differing == {'backbone', 'neck'}
    assert spiking['neck'][-1] == plain.neck
    assert spiking['backbone']['type'] == 'mmsnn.SGResNet'
