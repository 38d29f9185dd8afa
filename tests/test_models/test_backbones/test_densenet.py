"""The spiking DenseNet: what travels, shapes, switches, and its use in a detector."""

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from torch import nn

from mmsnn.models import DenseNetSNN
from mmsnn.models.backbones.densenet import DenseLayer, Transition

from ..helpers import calibrate, parameters_without_gradient
from ..test_detector import (  # noqa: F401
    make_batch,
    mmdet_scope,
    retinanet,
    spiking_parts,
)

ORDERS = ('CNS', 'NSC')
LEVELS = (0, 1, 2, 3)


def make_densenet(order='CNS', depth=121, **options):
    narrow = {'num_steps': 2, 'growth_rate': 4, 'out_indices': LEVELS}
    backbone = DenseNetSNN(depth, order, **{**narrow, **options})
    backbone.init_weights()
    return backbone


def is_binary(x):
    return set(x.unique().tolist()) <= {0.0, 1.0}


def record(backbone, kinds, what):
    """Return a list that the outputs (or inputs) of ``kinds`` are added to."""
    seen = []
    for module in backbone.modules():
        if isinstance(module, kinds):
            module.register_forward_hook(
                lambda m, inputs, out: seen.append(inputs[0] if what == 'in' else out)
            )
    return seen


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('neuron', ['IF', 'LIF'])
def test_what_travels_is_binary_with_cns(neuron, training):
    backbone = make_densenet('CNS', neuron={'type': neuron})
    image = torch.randn(2, 3, 64, 64)
    calibrate(backbone, image).train(training)
    travels = record(backbone, (type(backbone.stem), DenseLayer, Transition), 'out')
    levels = backbone(image)
    assert len(travels) == 1 + 6 + 12 + 24 + 16 + 3
    assert backbone.values == backbone.out_values == 'binary'
    for x in [*travels, *levels]:
        assert is_binary(x)
        assert x.any()


def test_outputs_are_spikes_with_nsc():
    backbone = make_densenet('NSC')
    travels = record(backbone, (DenseLayer, Transition), 'out')
    levels = backbone(torch.randn(2, 3, 64, 64))
    assert (backbone.values, backbone.out_values) == ('analog', 'binary')
    assert not any(is_binary(x) for x in travels)
    for level in levels:
        assert is_binary(level)
        assert level.any()


@pytest.mark.parametrize('order', ORDERS)
def test_convolutions_behind_the_stem_see_spikes(order):
    backbone = make_densenet(order)
    inputs = record(backbone, nn.Conv2d, 'in')
    backbone(torch.randn(2, 3, 64, 64))
    image, *others = inputs
    assert not is_binary(image)
    assert len(others) == 2 * (6 + 12 + 24 + 16) + 3
    assert all(is_binary(x) for x in others)


def test_default_widths_are_torchvisions():
    with torch.device('meta'):
        channels = {depth: DenseNetSNN(depth).out_channels for depth in (121, 161, 201)}
    assert channels == {121: (1024,), 161: (2208,), 201: (1920,)}


def test_stem_and_frames():
    backbone = make_densenet(in_channels=2, stem='cifar', num_steps=3)
    levels = backbone(torch.rand(2, 3, 2, 16, 16))
    assert [level.shape[-1] for level in levels] == [16, 8, 4, 2]


@pytest.mark.usefixtures('mmdet_scope')
@pytest.mark.parametrize('order', ORDERS)
def test_a_detector_learns(order):
    cfg = retinanet(spiking_parts({'type': 'Rate'}))
    cfg['backbone'] = {
        'type': 'mmsnn.DenseNetSNN',
        'depth': 121,
        'order': order,
        'num_steps': 3,
        'growth_rate': 4,
        'out_indices': (1, 2, 3),
    }
    for neck in cfg['neck']:
        neck['in_channels'] = [64, 128, 128]
    detector = MODELS.build(Config({'model': cfg}).model)
    detector.init_weights()
    data = detector.data_preprocessor(make_batch(), training=True)
    data['inputs'] = data['inputs'] / 255 - 0.5
    total, _ = detector.parse_losses(detector(**data, mode='loss'))
    assert total.isfinite()
    total.backward()
    assert parameters_without_gradient(detector) == []
