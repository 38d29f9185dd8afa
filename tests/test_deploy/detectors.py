"""Narrow detectors whose detections are many, and their ONNX models."""

from functools import cache
from pathlib import Path

import numpy as np
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from torch import nn

CONFIGS = Path(__file__).parents[2] / 'configs'
DIGITS = 'spiking_retinanet/spiking-retinanet_sg-r10-asd_fpn_1xb8-8e_digits.py'
NAMES = ('boxes', 'scores', 'labels')
KINDS = ['RetinaNet', 'FCOS', 'ATSS', 'FasterRCNN', 'agnostic', 'whole']


def single_stage(kind):
    cfg = Config.fromfile(CONFIGS / DIGITS)
    backbone, (decoder, fpn), head = (
        cfg.model[part] for part in ('backbone', 'neck', 'bbox_head')
    )
    backbone.update(base_channels=16, num_steps=2)
    decoder.update(in_channels=[16, 32, 64, 128], num_steps=2)
    fpn.update(in_channels=[16, 32, 64, 128], out_channels=16)
    head.update(in_channels=16, feat_channels=16, stacked_convs=1)
    if kind == 'RetinaNet':
        return cfg
    head = dict(
        type=f'{kind}Head',
        num_classes=10,
        in_channels=cfg.model.bbox_head.in_channels,
        feat_channels=16,
        norm_cfg=dict(type='GN', num_groups=8),
        stacked_convs=1,
    )
    if kind == 'FCOS':
        head['strides'] = [4, 8, 16, 32, 64]
    if kind == 'ATSS':
        head['anchor_generator'] = dict(
            type='AnchorGenerator',
            ratios=[1.0],
            octave_base_scale=8,
            scales_per_octave=1,
            strides=[4, 8, 16, 32, 64],
        )
    cfg.model.bbox_head = head
    cfg.model.type = kind
    cfg.model.train_cfg = None
    return cfg


def two_stage(kind='FasterRCNN', agnostic=False):
    cfg = single_stage('RetinaNet')
    given = Config.fromfile(CONFIGS / '_base_/models/faster-rcnn_r18_fpn.py').model
    rpn, roi = given.rpn_head, given.roi_head
    rpn.update(in_channels=16, feat_channels=16)
    rpn.anchor_generator.scales = [2]
    roi.bbox_roi_extractor.out_channels = 16
    roi.bbox_roi_extractor.finest_scale = 8
    roi.bbox_head.update(in_channels=16, fc_out_channels=32, num_classes=10)
    roi.bbox_head.reg_class_agnostic = agnostic
    given.test_cfg.rpn.update(nms_pre=60, max_per_img=50)
    cfg.model.rpn_head, cfg.model.roi_head = rpn, roi
    cfg.model.test_cfg, cfg.model.type = given.test_cfg, 'FasterRCNN'
    del cfg.model['bbox_head']
    if kind == 'whole':
        cfg.model.neck = dict(
            type='mmsnn.SpikingFPN',
            in_channels=[16, 32, 64, 128],
            out_channels=16,
            num_outs=5,
            num_steps=2,
            norm_cfg=dict(type='BN'),
        )
        norm = dict(type='BN')
        rpn.update(type='mmsnn.SpikingRPNHead', num_steps=2, norm_cfg=norm)
        roi.type = 'mmsnn.SpikingRoIHead'
        roi.bbox_roi_extractor.update(type='mmsnn.SpikingRoIExtractor', num_steps=2)
        roi.bbox_head.update(type='mmsnn.SpikingShared2FCBBoxHead', num_steps=2)
    return cfg


def detector(kind, score_thr=0.005):
    """A detector whose detections are many."""
    if kind in ('FasterRCNN', 'agnostic', 'whole'):
        cfg = two_stage(kind, kind == 'agnostic')
        cfg.model.train_cfg = None
        settings = cfg.model.test_cfg.rcnn
    else:
        cfg = single_stage(kind)
        settings = cfg.model.test_cfg
    settings.score_thr = score_thr
    settings.max_per_img = 600
    model = MODELS.build(cfg.model).eval()
    if kind in ('FasterRCNN', 'agnostic', 'whole'):
        for name, parameter in model.named_parameters():
            # of different regions and classes
            if name.endswith(('rpn_reg.weight', 'fc_cls.weight', 'fc_reg.weight')):
                nn.init.normal_(parameter, std=0.3)
        for name, module in model.named_modules():
            # currents around the threshold
            if isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.bias, 0.0, 1.0)
                module.momentum = None
            elif kind == 'whole' and 'shared_fcs' in name and hasattr(module, 'bias'):
                nn.init.uniform_(module.bias, 0.0, 1.5)
        # by their statistics, untrained features differ between positions
        model.train()
        with torch.no_grad():
            model.rpn_head(model.extract_feat(torch.randn(4, 3, 96, 128)))
    return cfg, model.eval()


def rows(boxes, scores, labels):
    """Return detections in an order that does not depend on their scores."""
    table = torch.cat([boxes, scores[:, None], labels[:, None]], 1)
    keys = (table * 1000).round()[:, [5, 0, 1, 2, 3]].numpy()
    return table[np.lexsort(keys.T[::-1])]


@cache
def onnx_of(kind):
    """Return a detector and its ONNX model."""
    from mmsnn.deploy.export.onnx_export import export_onnx

    torch.manual_seed(0)
    cfg, model = detector(kind)
    return model, export_onnx(model, cfg)


def session(model):
    import onnxruntime

    return onnxruntime.InferenceSession(
        model.SerializeToString(), providers=['CPUExecutionProvider']
    )
