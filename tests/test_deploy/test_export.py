"""Exported networks give the results of PyTorch."""

import numpy as np
import pytest
import torch
from contracts.parts import layers
from mmcv.ops import batched_nms
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config
from test_deploy.detectors import CONFIGS, DIGITS, session, single_stage
from torch import nn

from mmsnn.deploy.export.archive import export_archive
from mmsnn.deploy.export.onnx_program import to_onnx, trace
from mmsnn.deploy.export.picture_input import PictureInput
from mmsnn.deploy.export.precision import quantize
from mmsnn.deploy.export.suppression import suppress
from mmsnn.models.stems import build_stem
from mmsnn.utils.errors import UserError

onnx = pytest.importorskip('onnx')
runtime = pytest.importorskip('onnxruntime')


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


@pytest.mark.parametrize('kind', ['LatencyStem', 'PhaseStem', 'RateStem'])
def test_pixel_codes(kind) -> None:
    stem = build_stem(dict(type=kind), 3, 4, layers(8), True).eval()
    program = trace(stem, [torch.rand(2, 3, 9, 9)], [{0: torch.export.Dim('batch')}])
    operators = {str(node.target) for node in program.graph.nodes}
    drawn = {'mmsnn.seeded_bernoulli.default'} if kind == 'RateStem' else set()
    assert {name for name in operators if 'mmsnn' in name} == drawn
    images = torch.rand(3, 3, 9, 9)
    assert torch.equal(program.module()(images), stem(images))
    if drawn:
        with pytest.raises(UserError, match='seeded_bernoulli'):
            to_onnx(program, ['images'], ['spikes'])


class Grid(nn.Module):
    def forward(self, x):
        return torch.stack(torch.meshgrid(x[0], x[1] + 1))


def test_grids_without_indexing() -> None:
    x = torch.rand(2, 5)
    program = trace(Grid(), [x], [{1: torch.export.Dim('side')}])
    assert torch.equal(program.module()(x[:, :4]), Grid()(x[:, :4]))


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


@pytest.mark.parametrize('shape', [(37, 50), (64, 64), (128, 96), (256, 300)])
def test_preprocessing_in_openvino(shape) -> None:
    openvino = pytest.importorskip('openvino')
    model = PictureInput.of(Config.fromfile(CONFIGS / DIGITS)).model()
    pixels = np.random.default_rng(0).integers(0, 256, (1, *shape, 3), dtype=np.uint8)
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(model.SerializeToString()), 'CPU')
    expected = session(model).run(None, {'pictures': pixels})
    for one, other in zip(compiled([pixels]).to_tuple(), expected, strict=True):
        # at most one grey level, where resizing rounds a half
        np.testing.assert_allclose(one, other, rtol=0, atol=1.01 / 57)


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
        ({'model.test_cfg.nms.type': 'soft_nms'}, 'soft_nms'),
        ({'test_dataloader.dataset.pipeline.1': dict(type='Pad', size=(9, 9))}, 'Pad'),
        ({'test_dataloader.dataset.pipeline.1.interpolation': 'nearest'}, 'bilinear'),
        ({'model.data_preprocessor.pad_value': 114}, 'pad_value=0 .* got 114'),
    ],
)
def test_what_cannot_be_exported_is_named(change, named) -> None:
    cfg = single_stage('RetinaNet')
    cfg.merge_from_dict(change, allow_list_keys=True)
    with pytest.raises(UserError, match=named):
        export_archive(MODELS.build(cfg.model).eval(), cfg)
