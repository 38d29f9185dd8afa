"""An unmodified detector of MMDetection's with a spiking backbone."""

import copy

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData

import mmsnn  # noqa: F401
from mmsnn.models import FAMILIES

from .helpers import SILENT, parameters_without_gradient
from .test_backbones.networks import wake

CLASSES = 3
CHANNELS = [16, 32, 64]


def spiking_parts(decoder, num_steps=3, family='SG-BSG'):
    """Return a detector's preprocessor, spiking backbone, decoders and FPN."""
    return {
        'data_preprocessor': {'type': 'DetDataPreprocessor', 'pad_size_divisor': 32},
        'backbone': {
            'type': 'mmsnn.ResNetSNN',
            'family': family,
            'depth': 10,
            'base_channels': 8,
            'num_steps': num_steps,
            'out_indices': (1, 2, 3),
        },
        'neck': [
            {
                'type': 'mmsnn.SpikeDecoder',
                'in_channels': CHANNELS,
                'num_steps': 3,
                'decoder': decoder,
            },
            {'type': 'FPN', 'in_channels': CHANNELS, 'out_channels': 16, 'num_outs': 5},
        ],
    }


def retinanet(parts):
    return {
        'type': 'RetinaNet',
        **parts,
        'bbox_head': {
            'type': 'RetinaHead',
            'num_classes': CLASSES,
            'in_channels': 16,
            'stacked_convs': 1,
            'feat_channels': 16,
            'anchor_generator': {
                'type': 'AnchorGenerator',
                'octave_base_scale': 4,
                'scales_per_octave': 3,
                'ratios': [0.5, 1.0, 2.0],
                'strides': [8, 16, 32, 64, 128],
            },
        },
        'train_cfg': {
            'assigner': {
                'type': 'MaxIoUAssigner',
                'pos_iou_thr': 0.5,
                'neg_iou_thr': 0.4,
                'min_pos_iou': 0,
            },
            'sampler': {'type': 'PseudoSampler'},
            'allowed_border': -1,
            'pos_weight': -1,
        },
        'test_cfg': {
            'nms_pre': 100,
            'score_thr': 0.0,
            'nms': {'type': 'nms', 'iou_threshold': 0.5},
            'max_per_img': 10,
        },
    }


ASSIGNER = {
    'type': 'MaxIoUAssigner',
    'pos_iou_thr': 0.5,
    'neg_iou_thr': 0.5,
    'min_pos_iou': 0.0,
}
NMS = {'type': 'nms', 'iou_threshold': 0.7}


def faster_rcnn(parts):
    train = {
        'assigner': ASSIGNER,
        'sampler': {
            'type': 'RandomSampler',
            'num': 64,
            'pos_fraction': 0.25,
            'neg_pos_ub': -1,
            'add_gt_as_proposals': True,
        },
        'pos_weight': -1,
    }
    return {
        'type': 'FasterRCNN',
        **parts,
        'rpn_head': {
            'type': 'RPNHead',
            'in_channels': 16,
            'feat_channels': 16,
            'anchor_generator': {
                'type': 'AnchorGenerator',
                'scales': [4],
                'ratios': [0.5, 1.0, 2.0],
                'strides': [8, 16, 32, 64, 128],
            },
        },
        'roi_head': {
            'type': 'StandardRoIHead',
            'bbox_roi_extractor': {
                'type': 'SingleRoIExtractor',
                'roi_layer': {'type': 'RoIAlign', 'output_size': 7},
                'out_channels': 16,
                'featmap_strides': [8, 16, 32],
            },
            'bbox_head': {
                'type': 'Shared2FCBBoxHead',
                'in_channels': 16,
                'fc_out_channels': 32,
                'num_classes': CLASSES,
            },
        },
        'train_cfg': {
            'rpn': {**train, 'allowed_border': -1},
            'rpn_proposal': {'nms_pre': 100, 'max_per_img': 50, 'nms': NMS},
            'rcnn': train,
        },
        'test_cfg': {
            'rpn': {'nms_pre': 100, 'max_per_img': 50, 'nms': NMS},
            'rcnn': {'score_thr': 0.0, 'nms': NMS, 'max_per_img': 10},
        },
    }


@pytest.fixture
def mmdet_scope():
    register_all_modules(init_default_scope=False)
    with DefaultScope.overwrite_default_scope('mmdet'):
        yield


def make_batch(sizes=((64, 96), (90, 70))):
    samples = []
    for height, width in sizes:
        sample = DetDataSample(
            metainfo={
                'img_shape': (height, width),
                'ori_shape': (height, width),
                'scale_factor': (1.0, 1.0),
            }
        )
        sample.gt_instances = InstanceData(
            bboxes=torch.tensor([[4.0, 4.0, 40.0, 44.0], [30.0, 20.0, 60.0, 60.0]]),
            labels=torch.tensor([0, 2]),
        )
        sample.ignored_instances = InstanceData(
            bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long)
        )
        samples.append(sample)
    inputs = [
        torch.randint(0, 256, (3, *size), dtype=torch.uint8).float() for size in sizes
    ]
    return {'inputs': inputs, 'data_samples': samples}


def learn(detector, batch):
    """Compute the gradients of one step; return the losses."""
    data = detector.data_preprocessor(copy.deepcopy(batch), training=True)
    data['inputs'] = data['inputs'] / 255 - 0.5
    losses = detector(**data, mode='loss')
    total, _ = detector.parse_losses(losses)
    assert total.isfinite()
    total.backward()
    return losses


@torch.no_grad()
def assert_predicts(detector, batch):
    """Predict twice; assert boxes inside the images, and the same ones."""
    detector.eval()
    results = detector.test_step(copy.deepcopy(batch))
    again = detector.test_step(copy.deepcopy(batch))
    for result, repeated in zip(results, again, strict=True):
        found = result.pred_instances
        height, width = result.img_shape
        assert 0 < len(found) <= 10
        assert found.bboxes.isfinite().all()
        assert found.bboxes[:, 0::2].max() <= width
        assert found.bboxes[:, 1::2].max() <= height
        assert torch.equal(found.bboxes, repeated.pred_instances.bboxes)


def build(config):
    detector = MODELS.build(Config({'model': config}).model)
    detector.init_weights()
    return detector


@pytest.mark.parametrize('decoder', [{'type': 'Rate'}, {'type': 'ASD'}])
def test_retinanet_learns_and_predicts(mmdet_scope, decoder):
    detector, batch = build(retinanet(spiking_parts(decoder))), make_batch()
    assert set(learn(detector, batch)) == {'loss_cls', 'loss_bbox'}
    assert parameters_without_gradient(detector) == []
    assert_predicts(detector, batch)


@pytest.mark.parametrize('family', FAMILIES)
def test_any_family_is_a_backbone(mmdet_scope, family):
    parts = spiking_parts({'type': 'Rate'}, family=family)
    detector, batch = build(retinanet(parts)), make_batch(((96, 128), (90, 100)))
    if family in SILENT:
        wake(detector.backbone)
    learn(detector, batch)
    assert parameters_without_gradient(detector) == []
    assert_predicts(detector, batch)


@pytest.mark.parametrize('family', ['SG-BSG', 'PA-B'])
def test_faster_rcnn_learns_and_predicts(mmdet_scope, family):
    parts = spiking_parts({'type': 'Rate'}, family=family)
    detector, batch = build(faster_rcnn(parts)), make_batch(((128, 128), (128, 100)))
    losses = learn(detector, batch)
    assert {'loss_rpn_cls', 'loss_rpn_bbox', 'loss_cls', 'loss_bbox'} <= set(losses)
    assert parameters_without_gradient(detector) == []
    assert_predicts(detector, batch)
