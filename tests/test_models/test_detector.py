"""An unmodified detector of MMDetection's with a spiking backbone."""

import copy
from pathlib import Path

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

CONFIGS = Path(__file__).resolve().parents[2] / 'configs' / '_base_' / 'models'
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


def narrow(name, parts, **changes):
    """Return a detector of ``configs/_base_`` with other parts and narrow heads."""
    model = Config.fromfile(CONFIGS / f'{name}.py').model
    del model['neck']
    model.pop('_scope_')
    cfg = Config({'model': {**model.to_dict(), **parts}})
    cfg.merge_from_dict({f'model.{key}': value for key, value in changes.items()})
    return cfg.model.to_dict()


def retinanet(parts):
    changes = {'in_channels': 16, 'feat_channels': 16, 'stacked_convs': 1}
    changes['num_classes'] = CLASSES
    test_cfg = {'nms_pre': 100, 'score_thr': 0.0, 'max_per_img': 10}
    return narrow('retinanet_r18_fpn', parts, bbox_head=changes, test_cfg=test_cfg)


def faster_rcnn(parts):
    box_head = {'in_channels': 16, 'fc_out_channels': 32, 'num_classes': CLASSES}
    strides = [8, 16, 32, 64, 128]
    # every proposal trains, and is a detection
    easy = {'pos_iou_thr': 0.5, 'neg_iou_thr': 0.5, 'min_pos_iou': 0.0}
    return narrow(
        'faster-rcnn_r18_fpn',
        parts,
        rpn_head={
            'in_channels': 16,
            'feat_channels': 16,
            'anchor_generator': {'scales': [4], 'strides': strides},
        },
        roi_head={
            'bbox_roi_extractor': {'out_channels': 16, 'featmap_strides': strides[:3]},
            'bbox_head': box_head,
        },
        train_cfg={
            'rpn': {'assigner': easy},
            'rcnn': {'assigner': easy},
        },
        test_cfg={'rcnn': {'score_thr': 0.0, 'max_per_img': 10}},
    )


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


RATE, ASD = {'type': 'Rate'}, {'type': 'ASD'}


@pytest.mark.parametrize(
    ('family', 'decoder'), [*((family, RATE) for family in FAMILIES), ('SG-BSG', ASD)]
)
def test_retinanet_of_any_family(mmdet_scope, family, decoder):
    parts = spiking_parts(decoder, family=family)
    detector, batch = build(retinanet(parts)), make_batch(((96, 128), (90, 100)))
    if family in SILENT:
        wake(detector.backbone)
    assert set(learn(detector, batch)) == {'loss_cls', 'loss_bbox'}
    assert parameters_without_gradient(detector) == []
    assert_predicts(detector, batch)


@pytest.mark.parametrize('family', ['SG-BSG', 'PA-B'])
def test_faster_rcnn(mmdet_scope, family):
    parts = spiking_parts(RATE, family=family)
    detector, batch = build(faster_rcnn(parts)), make_batch(((128, 128), (128, 100)))
    losses = learn(detector, batch)
    assert {'loss_rpn_cls', 'loss_rpn_bbox', 'loss_cls', 'loss_bbox'} <= set(losses)
    assert parameters_without_gradient(detector) == []
    assert_predicts(detector, batch)
