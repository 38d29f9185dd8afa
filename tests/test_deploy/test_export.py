"""Exported networks give the results of PyTorch."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmcv.ops import batched_nms
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config
from torch import nn

from mmsnn.deploy.export.archive import export_archive
from mmsnn.deploy.export.onnx_program import to_onnx, trace
from mmsnn.deploy.export.picture_input import PictureInput
from mmsnn.deploy.export.precision import compress, quantize
from mmsnn.deploy.export.suppression import suppress
from mmsnn.deploy.export.tensor_networks import as_tensor_network
from mmsnn.utils.errors import UserError

onnx = pytest.importorskip('onnx')
runtime = pytest.importorskip('onnxruntime')
CONFIGS = Path(__file__).parents[2] / 'configs'
DIGITS = 'spiking_retinanet/spiking-retinanet_sg-r10-asd_fpn_1xb8-8e_digits.py'


def session(model):
    return runtime.InferenceSession(
        model.SerializeToString(), providers=['CPUExecutionProvider']
    )


def candidates(number=40, images=2):
    generator = torch.Generator().manual_seed(0)
    corner = 30 * torch.rand(images, number, 2, generator=generator)
    size = 5 + 20 * torch.rand(images, number, 2, generator=generator)
    scores = torch.rand(images, number, generator=generator)
    scores[scores < 0.3] = -1
    labels = torch.randint(3, (images, number), generator=generator)
    return torch.cat([corner, corner + size], -1), scores, labels


@pytest.mark.parametrize('agnostic', [False, True])
@pytest.mark.parametrize('number', [4, 60])
def test_suppression_is_that_of_mmcv(agnostic, number) -> None:
    boxes, scores, labels = candidates()
    found = suppress(boxes, scores, labels, 0.5, agnostic, number)
    for i in range(len(boxes)):
        valid = scores[i] > 0
        chosen = [part[i][valid] for part in (boxes, scores, labels)]
        cfg = dict(type='nms', iou_threshold=0.5, class_agnostic=agnostic)
        rows, kept = batched_nms(*chosen, cfg)
        expected = rows[:number], chosen[2][kept][:number]
        count = len(expected[0])
        assert number < 9 or 9 < count <= valid.sum()
        assert torch.equal(found[0][i, :count], expected[0][:, :4])
        assert torch.equal(found[1][i, :count], expected[0][:, 4])
        assert torch.equal(found[2][i, :count], expected[1])
        assert not found[1][i, count:].any()
        assert (found[2][i, count:] == -1).all()


class Suppression(nn.Module):
    def forward(self, boxes, scores, labels):
        return suppress(boxes, scores, labels, 0.5, False, 20)


def test_suppression_in_onnx() -> None:
    inputs = candidates()
    program = trace(Suppression(), inputs, [{0: torch.export.Dim('batch')}] * 3)
    model = to_onnx(program, ['boxes', 'scores', 'labels'], ['a', 'b', 'c'])
    for images in (1, 3):
        given = candidates(images=images)
        names = ('boxes', 'scores', 'labels')
        feeds = {n: v.numpy() for n, v in zip(names, given, strict=True)}
        found = session(model).run(None, feeds)
        for one, other in zip(found, Suppression()(*given), strict=True):
            assert np.array_equal(one, other.numpy())


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


NAMES = ('boxes', 'scores', 'labels')
KINDS = ['RetinaNet', 'FCOS', 'ATSS', 'FasterRCNN', 'agnostic', 'whole']


@pytest.mark.parametrize('kind', KINDS)
def test_tensor_network_predicts_what_the_detector_predicts(kind) -> None:
    _, model = detector(kind)
    images = torch.randn(2, 3, 96, 128)
    size, scale = (90, 120), (1.5, 1.2)
    samples = [
        DetDataSample(metainfo=dict(img_shape=size, scale_factor=scale))
        for _ in range(2)
    ]
    with torch.no_grad():
        expected = model.predict(images, samples)
        boxes, scores, labels = as_tensor_network(model).eval()(
            images, torch.tensor(size).float(), torch.tensor(scale)
        )
    for i, sample in enumerate(expected):
        instances = sample.pred_instances
        count = len(instances)
        assert 0 < count == (scores[i] > 0).sum()
        # spiking heads give equal scores, which are sorted in any order
        found = rows(boxes[i, :count], scores[i, :count], labels[i, :count])
        wanted = rows(instances.bboxes, instances.scores, instances.labels)
        torch.testing.assert_close(found, wanted)
        assert (scores[i].diff() <= 0).all()


@pytest.mark.parametrize('channels_first', [True, False])
@pytest.mark.parametrize('shape', [(37, 50), (64, 64)])
def test_preprocessing_is_that_of_the_pipeline(shape, channels_first) -> None:
    cfg = Config.fromfile(CONFIGS / DIGITS)
    cfg.model.data_preprocessor.bgr_to_rgb = channels_first
    cfg.test_dataloader.dataset.pipeline[1].scale = (96, 64)
    given = PictureInput.of(cfg)
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    images, size, scale = session(given.model()).run(None, {'pictures': pixels[None]})

    from mmcv import imrescale

    resized, factor = imrescale(pixels[..., ::-1], (96, 64), return_scale=True)
    preprocessor = MODELS.build(cfg.model.data_preprocessor)
    sample = DetDataSample(metainfo=dict(img_shape=resized.shape[:2]))
    planes = torch.from_numpy(resized.transpose(2, 0, 1).copy())
    data = dict(inputs=[planes], data_samples=[sample])
    expected = preprocessor(data)['inputs'].numpy()
    assert images.shape == expected.shape
    # OpenCV rounds in fixed point: at most one grey level
    deviation = min(cfg.model.data_preprocessor.std)
    assert np.abs(images - expected).max() <= 1.01 / deviation
    assert tuple(size) == resized.shape[:2]
    assert scale == pytest.approx([factor, factor], rel=0.02)


def test_int8_weights_round_to_the_nearest() -> None:
    values = np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32)
    values[2] = 0
    numbers, scales = quantize(values, 0)
    error = np.abs(numbers * scales[:, None, None, None] - values)
    assert (error <= scales[:, None, None, None] / 2 * 1.001).all()
    assert np.abs(numbers).max() == 127


@pytest.mark.parametrize(
    ('change', 'named'),
    [
        (dict(type='soft_nms'), 'soft_nms'),
        (None, 'Pad'),
    ],
)
def test_what_cannot_be_exported_is_named(change, named) -> None:
    cfg = single_stage('RetinaNet')
    if change is None:
        cfg.test_dataloader.dataset.pipeline.insert(1, dict(type='Pad', size=(9, 9)))
    else:
        cfg.model.test_cfg.nms.update(change)
    with pytest.raises(UserError, match=named):
        export_archive(MODELS.build(cfg.model).eval(), cfg)


@pytest.mark.parametrize(
    ('part', 'settings', 'named'),
    [
        ('roi_head', dict(type='CascadeRoIHead'), 'CascadeRoIHead.*predict_bbox'),
        ('bbox_head', None, 'DoubleHeadRoIHead.*_bbox_forward'),
        ('roi_layer', dict(type='RoIPool'), 'RoIPool'),
        ('rcnn_nms', dict(type='soft_nms'), 'soft_nms'),
        ('rpn_nms', dict(type='soft_nms'), 'soft_nms'),
        ('mask', None, 'masks'),
    ],
)
def test_what_of_two_stages_cannot_be_exported_is_named(part, settings, named) -> None:
    cfg = two_stage()
    model = cfg.model
    model.train_cfg = None
    extractor = model.roi_head.bbox_roi_extractor
    if part == 'roi_head':
        boxes = [model.roi_head.bbox_head] * 3
        model.roi_head.update(settings, num_stages=3, stage_loss_weights=[1, 1, 1])
        model.roi_head.bbox_head = boxes
    elif part == 'bbox_head':
        model.roi_head.update(type='DoubleHeadRoIHead', reg_roi_scale_factor=1.3)
    elif part == 'roi_layer':
        extractor.roi_layer = dict(settings, output_size=7)
    elif part == 'mask':
        masks = dict(type='FCNMaskHead', in_channels=16, num_classes=10)
        model.roi_head.update(mask_head=masks, mask_roi_extractor=extractor)
    else:
        model.test_cfg[part.removesuffix('_nms')].nms.update(settings)
    with pytest.raises(UserError, match=named):
        as_tensor_network(MODELS.build(model).eval())


RUN = """
import sys
import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession(sys.argv[1])
pictures = np.load(sys.argv[2])
boxes, scores, labels = session.run(None, {'pictures': pictures})
np.savez(sys.argv[3], boxes=boxes, scores=scores, labels=labels)
assert 'torch' not in sys.modules
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ('kind', 'precision'),
    [
        ('RetinaNet', 'fp32'),
        ('RetinaNet', 'fp16'),
        ('RetinaNet', 'int8'),
        ('FasterRCNN', 'fp32'),
        ('whole', 'fp32'),
    ],
)
def test_detector_from_pictures_to_boxes(kind, precision, tmp_path) -> None:
    from mmsnn.deploy.export.onnx_export import export_onnx

    cfg, model = detector(kind)
    content = compress(export_onnx(model, cfg), precision)
    onnx.checker.check_model(content, full_check=True)
    pictures = np.random.default_rng(0).integers(0, 256, (3, 128, 96, 3), np.uint8)
    (tmp_path / 'net.onnx').write_bytes(content.SerializeToString())
    np.save(tmp_path / 'pictures.npy', pictures)
    names = ('net.onnx', 'pictures.npy', 'found.npz')
    files = [str(tmp_path / name) for name in names]
    subprocess.run([sys.executable, '-c', RUN, *files], check=True)
    found = np.load(files[2])
    assert found['boxes'].shape[0::2] == (3, 4)
    assert found['boxes'].shape[1] >= 500
    if precision != 'fp32':
        assert (found['scores'] > 0).any()
        return
    resized = [
        torch.from_numpy(p[..., ::-1].transpose(2, 0, 1).copy()) for p in pictures
    ]
    samples = [
        DetDataSample(metainfo=dict(img_shape=(128, 96), scale_factor=(1.0, 1.0)))
        for _ in pictures
    ]
    with torch.no_grad():
        expected = model.test_step(dict(inputs=resized, data_samples=samples))
    for i, sample in enumerate(expected):
        count = len(sample.pred_instances)
        assert 0 < count == (found['scores'][i] > 0).sum()
        ours = rows(*(torch.from_numpy(found[n][i, :count]) for n in NAMES))
        theirs = sample.pred_instances
        theirs = rows(theirs.bboxes, theirs.scores, theirs.labels)
        assert (ours - theirs).abs().max() < 0.01
