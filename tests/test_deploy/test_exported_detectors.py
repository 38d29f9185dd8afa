"""Exported detectors detect what PyTorch's do."""

import copy
import subprocess
import sys

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from test_deploy.detectors import (
    KINDS,
    NAMES,
    detector,
    onnx_of,
    rows,
    session,
    two_stage,
)

from mmsnn.deploy.export.precision import compress
from mmsnn.deploy.export.tensor_networks import as_tensor_network
from mmsnn.utils.errors import UserError

onnx = pytest.importorskip('onnx')
pytest.importorskip('onnxruntime')


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
def test_openvino_runs_the_model_unchanged() -> None:
    openvino = pytest.importorskip('openvino')
    content = onnx_of('RetinaNet')[1].SerializeToString()
    settings = {'INFERENCE_PRECISION_HINT': 'f32'}
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(content), 'CPU', settings)
    pictures = np.random.default_rng(0).integers(0, 256, (3, 128, 96, 3), np.uint8)
    expected = session(onnx_of('RetinaNet')[1]).run(None, {'pictures': pictures})
    results = compiled([pictures])
    found = [torch.from_numpy(results[i].copy()) for i in range(3)]
    for i in range(3):
        count = int((expected[1][i] > 0).sum())
        assert 0 < count == (found[1][i] > 0).sum()
        ours = rows(*(part[i, :count] for part in found))
        theirs = rows(*(torch.from_numpy(part[i, :count]) for part in expected))
        assert (ours - theirs).abs().max() < 0.01


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
    model, exported = onnx_of(kind)
    content = compress(copy.deepcopy(exported), precision)
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
