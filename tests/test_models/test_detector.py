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

from .helpers import parameters_without_gradient

CLASSES = 3
CHANNELS = [16, 32, 64]


def retinanet(decoder, num_steps=3):
    return {
        'type': 'RetinaNet',
        'data_preprocessor': {'type': 'DetDataPreprocessor', 'pad_size_divisor': 32},
        'backbone': {
            'type': 'mmsnn.SGResNet',
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


@pytest.mark.parametrize('decoder', [{'type': 'Rate'}, {'type': 'ASD'}])
def test_retinanet_learns_and_predicts(mmdet_scope, decoder):
    detector = MODELS.build(Config({'model': retinanet(decoder)}).model)
    detector.init_weights()
    batch = make_batch()

    data = detector.data_preprocessor(copy.deepcopy(batch), training=True)
    data['inputs'] = data['inputs'] / 255 - 0.5
    losses = detector(**data, mode='loss')
    assert set(losses) == {'loss_cls', 'loss_bbox'}
    total, _ = detector.parse_losses(losses)
    assert total.isfinite()
    total.backward()
    assert parameters_without_gradient(detector) == []

    detector.eval()
    with torch.no_grad():
        results = detector.test_step(copy.deepcopy(batch))
        again = detector.test_step(copy.deepcopy(batch))
    for result, repeated, (height, width) in zip(
        results, again, ((64, 96), (90, 70)), strict=True
    ):
        found = result.pred_instances
        assert 0 < len(found) <= 10
        assert found.bboxes.isfinite().all()
        assert found.bboxes[:, 0::2].max() <= width
        assert found.bboxes[:, 1::2].max() <= height
        assert torch.equal(found.bboxes, repeated.pred_instances.bboxes)


def test_a_decoder_for_other_time_steps(mmdet_scope):
    detector = MODELS.build(retinanet({'type': 'ASD'}, num_steps=2))
    message = 'ASD was built for num_steps=3, but its input has 2 time steps'
    with pytest.raises(ValueError, match=message):
        detector(torch.zeros(1, 3, 64, 64), mode='tensor')
