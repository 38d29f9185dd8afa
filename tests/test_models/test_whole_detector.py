"""Detectors that spike throughout: necks, heads, and what feeds their layers."""

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.testing import demo_mm_inputs
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData
from torch import nn
from torchvision.ops import roi_align

from mmsnn.analysis import FiringRates, OperationCounter, without_spikes
from mmsnn.deploy import expand_integer_spikes, fold_norms

from .helpers import calibrate, parameters_without_gradient

ROOT = Path(__file__).resolve().parents[2]
BASE = ROOT / 'configs/_base_/models/faster-rcnn_r18_fpn.py'
CHANNELS = [8, 16, 32, 64]
NORM = dict(type='GN', num_groups=4)
ATSS = dict(
    assigner=dict(type='ATSSAssigner', topk=9), allowed_border=-1, pos_weight=-1
)
MAX_IOU = dict(
    assigner=dict(
        type='MaxIoUAssigner', pos_iou_thr=0.5, neg_iou_thr=0.4, min_pos_iou=0
    ),
    sampler=dict(type='PseudoSampler'),
    allowed_border=-1,
    pos_weight=-1,
)
SQUARES = dict(
    type='AnchorGenerator',
    ratios=[1.0],
    octave_base_scale=8,
    scales_per_octave=1,
    strides=[4, 8, 16, 32, 64],
)
QUALITY = dict(type='QualityFocalLoss', use_sigmoid=True, beta=2.0, loss_weight=1.0)
OVERLAP = dict(type='GIoULoss', loss_weight=2.0)
# detector, training settings, further arguments of the head
DENSE: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    'SpikingRetinaHead': ('RetinaNet', MAX_IOU, dict(anchor_generator=SQUARES)),
    'SpikingFCOSHead': ('FCOS', {}, dict(strides=[4, 8, 16, 32, 64])),
    'SpikingATSSHead': (
        'ATSS',
        ATSS,
        dict(anchor_generator=SQUARES, loss_bbox=OVERLAP),
    ),
    'SpikingGFLHead': (
        'GFL',
        ATSS,
        dict(anchor_generator=SQUARES, loss_cls=QUALITY, loss_bbox=OVERLAP, reg_max=4),
    ),
}
TEST = dict(
    nms_pre=100, score_thr=0.0, nms=dict(type='nms', iou_threshold=0.5), max_per_img=10
)
NEURONS = {
    'ILIF': dict(num_steps=1, neuron=dict(type='ILIF', max_value=4)),
    'LIF': dict(num_steps=4, neuron=dict(type='LIF')),
    'PLIF': dict(num_steps=2, neuron=dict(type='PLIF')),
    'normalized': dict(num_steps=2, neuron=dict(type='ILIF', normalize=True)),
}


@pytest.fixture(autouse=True)
def scope():
    register_all_modules(init_default_scope=False)
    with DefaultScope.overwrite_default_scope('mmdet'):
        yield


def dense(head: str, spiking: dict[str, Any], neck: str = 'SpikingFPN') -> dict:
    detector, train_cfg, options = DENSE[head]
    return dict(
        type=detector,
        **parts(spiking, neck),
        bbox_head=dict(
            type=f'mmsnn.{head}',
            num_classes=3,
            in_channels=16,
            feat_channels=16,
            stacked_convs=1,
            norm_cfg=NORM,
            **spiking,
            **options,
        ),
        train_cfg=copy.deepcopy(train_cfg) or None,
        test_cfg=TEST,
    )


def parts(spiking: dict[str, Any], neck: str = 'SpikingFPN', extra: Any = 'on_output'):
    return dict(
        data_preprocessor=dict(
            type='DetDataPreprocessor',
            mean=[120.3] * 3,
            std=[57.1] * 3,
            pad_size_divisor=32,
        ),
        backbone=dict(
            type='mmsnn.ResNetSNN',
            depth=10,
            family='PA-A-S',
            base_channels=8,
            out_indices=(0, 1, 2, 3),
            **spiking,
        ),
        neck=dict(
            type=f'mmsnn.{neck}',
            in_channels=CHANNELS,
            out_channels=16,
            num_outs=5,
            add_extra_convs=extra,
            **spiking,
        ),
    )


def two_stage(spiking: dict[str, Any]) -> dict:
    cfg = Config.fromfile(BASE).model
    rpn = dict(in_channels=16, feat_channels=16, norm_cfg=NORM)
    cfg.rpn_head.update(type='mmsnn.SpikingRPNHead', **rpn, **spiking)
    box = dict(in_channels=16, fc_out_channels=32, num_classes=3)
    cfg.roi_head.bbox_head.update(
        type='mmsnn.SpikingShared2FCBBoxHead', **box, **spiking
    )
    cfg.roi_head.bbox_roi_extractor.update(
        type='mmsnn.SpikingRoIExtractor',
        out_channels=16,
        num_steps=spiking['num_steps'],
    )
    cfg.roi_head.type = 'mmsnn.SpikingRoIHead'
    cfg.update(parts(spiking, extra=False))
    return cfg


def build(cfg: Any) -> nn.Module:
    torch.manual_seed(0)
    model = MODELS.build(Config(dict(model=copy.deepcopy(cfg))).model)
    model.init_weights()
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.GroupNorm | nn.BatchNorm2d):
                # currents around the threshold
                module.bias.fill_(0.5)
            elif isinstance(module, nn.Linear) and module.out_features == 32:
                module.bias.fill_(1.5)
    calibrate(nn.Sequential(model.backbone, model.neck), torch.randn(2, 3, 64, 64))
    return model


def batch() -> dict:
    return demo_mm_inputs(
        2, [[3, 64, 64], [3, 64, 64]], num_items=[2, 2], num_classes=3
    )


CASES = [
    *((head, 'ILIF') for head in DENSE),
    *((head, 'PLIF') for head in DENSE),
    ('SpikingRetinaHead', 'LIF'),
    ('SpikingRetinaHead', 'normalized'),
    ('two stages', 'ILIF'),
    ('two stages', 'PLIF'),
]


def config(head: str, neuron: str) -> dict:
    spiking = NEURONS[neuron]
    return two_stage(spiking) if head == 'two stages' else dense(head, spiking)


@pytest.mark.parametrize(('head', 'neuron'), CASES)
def test_detector(head: str, neuron: str) -> None:
    model = build(config(head, neuron)).train()
    data = model.data_preprocessor(batch(), training=True)
    model.parse_losses(model(**data, mode='loss'))[0].backward()
    silent = parameters_without_gradient(model)
    # levels without objects
    assert [name for name in silent if 'scales' not in name] == []
    model.eval()
    data = model.data_preprocessor(batch(), training=False)
    with (
        OperationCounter(model) as counter,
        FiringRates(model) as rates,
        torch.no_grad(),
    ):
        found = model(**data, mode='predict')
    assert len(found) == 2
    operations = counter.result()
    linear = [x for x in operations.layers if x.kind in ('convolution', 'linear')]
    analog = [x.name for x in linear if x.values == 'analog']
    # only the image is multiplied
    assert analog == ['backbone.stem.encode.conv']
    assert {x.part for x in linear} == {
        'encoder',
        'backbone',
        'neck',
        *(['rpn_head', 'roi_head'] if head == 'two stages' else ['bbox_head']),
    }
    firing = {x.name: x.firing_rate for x in rates.result().neurons}
    assert {x.name: x.firing_rate for x in operations.neurons} == pytest.approx(firing)
    # rates before a last layer are spikes, which it meets once
    steps = NEURONS[neuron]['num_steps']
    twin = {x.name: x.mean.dense for x in without_spikes(operations).layers}
    last = [x for x in linear if x.name.endswith('layer')]
    assert last
    for x in last:
        assert x.steps == 1
        assert x.mean.dense == pytest.approx(twin[x.name])
    inner = [x for x in linear if 'convs.0' in x.name or 'shared_fcs' in x.name]
    assert {x.steps for x in inner} == {steps}


@pytest.mark.parametrize('extra', ['on_input', 'on_lateral', 'on_output', False])
@pytest.mark.parametrize('neck', ['SpikingFPN', 'SpikingPAFPN'])
def test_pyramid(neck: str, extra: str | bool) -> None:
    spiking = NEURONS['LIF']
    cfg = parts(spiking, neck, extra)['neck']
    torch.manual_seed(0)
    model = MODELS.build(cfg)
    sizes = (16, 8, 4, 2)
    spikes = [
        torch.randint(0, 2, (4, 2, c, n, n)).float()
        for c, n in zip(CHANNELS, sizes, strict=True)
    ]
    outs = model(spikes)
    assert [tuple(x.shape) for x in outs] == [(4, 2, 16, n, n) for n in (*sizes, 1)]
    sum(x.square().sum() for x in outs).backward()
    assert all(p.grad is not None for p in model.parameters())
    fed = {}
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_pre_hook(
                lambda _, args, name=name: fed.update({name: args[0].unique()})
            )
    model(spikes)
    assert len(fed) == sum(isinstance(m, nn.Conv2d) for m in model.modules())
    assert all(set(values.tolist()) <= {0.0, 1.0} for values in fed.values())
    # the hand formula of the last level without extra convolutions
    lateral = model.lateral_convs[3]
    current = lateral(spikes[3].flatten(0, 1))
    unit = model.fpn_convs[3]
    expected = unit.norm(unit.conv(unit.activate(current)))
    if neck == 'SpikingFPN':
        assert torch.equal(outs[3].flatten(0, 1), expected)


def test_regions_of_currents_in_any_memory_format() -> None:
    cfg = dict(
        type='mmsnn.SpikingRoIExtractor',
        roi_layer=dict(type='RoIAlign', output_size=3, sampling_ratio=2),
        out_channels=4,
        featmap_strides=[4],
        num_steps=2,
    )
    extractor = MODELS.build(cfg)
    currents = torch.randn(2 * 3, 4, 8, 8)
    rois = torch.tensor([[0.0, 2, 3, 20, 25], [2.0, 8, 1, 30, 12]])
    steps = [
        roi_align(step, rois, 3, 1 / 4, 2, aligned=True) for step in currents.split(3)
    ]
    for layout in (torch.contiguous_format, torch.channels_last):
        found = extractor([currents.to(memory_format=layout)], rois)
        torch.testing.assert_close(found, torch.cat(steps))


@pytest.mark.parametrize('neuron', ['ILIF', 'PLIF'])
def test_zero_regions(neuron: str) -> None:
    model = build(two_stage(NEURONS[neuron])).train()
    data = model.data_preprocessor(batch(), training=True)
    samples = data['data_samples']
    for sample in samples:
        sample.gt_instances = sample.gt_instances[:0]
    features = model.extract_feat(data['inputs'])

    def proposals() -> list[InstanceData]:
        return [InstanceData(bboxes=torch.zeros(0, 4)) for _ in samples]

    losses = model.roi_head.loss(features, proposals(), samples)
    loss, _ = model.parse_losses(losses)
    assert loss == 0
    loss.backward()
    grads = {name: p.grad for name, p in model.roi_head.named_parameters()}
    # MMDetection does not compute the classes' loss without regions
    assert all(g is not None for name, g in grads.items() if 'fc_cls' not in name)
    assert not any(g.any() for g in grads.values() if g is not None)
    classes, boxes = model.roi_head.forward(features, proposals(), samples)
    assert classes.shape == (0, 4) and boxes.shape == (0, 12)
    found = model.eval().roi_head.predict(features, proposals(), samples)
    assert [len(x) for x in found] == [0, 0]


def test_names_are_mmdetections() -> None:
    """Weights of the ordinary neck and tower fit."""
    spiking = dense('SpikingRetinaHead', NEURONS['ILIF'])
    ordinary = copy.deepcopy(spiking['bbox_head'])
    for name in ('num_steps', 'neuron'):
        ordinary.pop(name)
    ordinary['type'] = 'RetinaHead'
    ours = MODELS.build(spiking['bbox_head']).state_dict()
    theirs = MODELS.build(ordinary).state_dict()
    assert {name.replace('.layer', '') for name in ours} == set(theirs)


def test_mistakes() -> None:
    model = build(dense('SpikingRetinaHead', NEURONS['LIF'])).eval()
    features = [torch.zeros(4, 2, 16, n, n) for n in (16, 8, 4, 2, 1)]
    with pytest.raises(ValueError, match=r'SpikingRetinaHead .*num_steps=4.*\[2, 16'):
        model.bbox_head([x[0] for x in features])
    with pytest.raises(
        ValueError, match=r'SpikingRetinaHead .*num_steps=4.*\[2, 2, 16'
    ):
        model.bbox_head([x[:2] for x in features])
    spikes = [torch.zeros(4, 2, c, 4, 4) for c in CHANNELS]
    with pytest.raises(ValueError, match=r'SpikingFPN, level 0.*num_steps=4.*\[3, 2'):
        model.neck([x[:3] for x in spikes])
    message = 'SpikingFPN, level 2.* multiples of 1 .*the same value of a spike'
    for values in (0.3, 0.25):  # 0.25 is a spike of normalised neurons
        with pytest.raises(ValueError, match=message):
            model.neck([*spikes[:2], spikes[2] + values, spikes[3]])
    with pytest.raises(ValueError, match='4 levels, but got 3'):
        model.neck(spikes[:3])
    with pytest.raises(ValueError, match='num_steps must be at least 1, but got 0'):
        build(dense('SpikingRetinaHead', dict(num_steps=0, neuron=dict(type='IF'))))


def test_the_guides_example() -> None:
    """MMDetection's YOLOX spikes with an activation alone."""
    page = (ROOT / 'docs/whole_detector.md').read_text(encoding='utf-8')
    blocks = re.findall(r'```python\n(.*?)```', page, re.DOTALL)
    (example,) = [block for block in blocks if 'YOLOX' in block]
    cfg = Config.fromstring(example, '.py').model
    cfg.backbone.base_channels = 8
    for part in cfg.neck:
        part.in_channels = [16, 32, 64]
    model = build(cfg).train()
    data = model.data_preprocessor(batch(), training=True)
    model.parse_losses(model(**data, mode='loss'))[0].backward()
    assert all(p.grad is not None for p in model.parameters())
    with OperationCounter(model.eval()) as counter, torch.no_grad():
        model(torch.randn(2, 3, 64, 64))
    layers = [x for x in counter.result().layers if x.kind == 'convolution']
    analog = [x.name for x in layers if x.values == 'analog']
    assert analog == ['backbone.stem.encode.conv']
    assert {x.part for x in layers} == {'encoder', 'backbone', 'neck', 'bbox_head'}


@torch.no_grad()
def test_expansion_detects_the_same() -> None:
    for neuron in ('ILIF', 'normalized'):
        model = build(dense('SpikingRetinaHead', NEURONS[neuron])).eval()
        data = model.data_preprocessor(batch(), training=False)
        expanded = expand_integer_spikes(model)
        theirs = model(**copy.deepcopy(data), mode='predict')
        for network in (expanded, expand_integer_spikes(fold_norms(model))):
            ours = network(**copy.deepcopy(data), mode='predict')
            for one, other in zip(ours, theirs, strict=True):
                one, other = one.pred_instances, other.pred_instances
                torch.testing.assert_close(one.bboxes, other.bboxes, rtol=0, atol=1e-2)
                torch.testing.assert_close(one.scores, other.scores, rtol=0, atol=1e-4)
