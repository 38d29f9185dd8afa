"""The spiking DenseNet: what travels, shapes, switches, and its use in a detector."""

import copy
import re

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from torch import nn

from mmsnn.models import DenseNetSNN
from mmsnn.models.backbones.densenet import DenseLayer, Transition
from mmsnn.models.neurons import BaseNeuron

from ..helpers import calibrate, parameters_without_gradient, sum_of
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


@pytest.mark.parametrize('order', ORDERS)
@pytest.mark.parametrize('num_steps', [1, 2])
@pytest.mark.parametrize('neuron', ['IF', 'LIF', 'PLIF'])
def test_every_parameter_gets_a_gradient(neuron, num_steps, order):
    backbone = make_densenet(order, neuron={'type': neuron}, num_steps=num_steps)
    levels = backbone(torch.randn(4, 3, 64, 64))
    sum_of(levels, [torch.randn_like(level) for level in levels]).backward()
    assert parameters_without_gradient(backbone) == []


@pytest.mark.parametrize(
    ('depth', 'widths'),
    [(121, (8, 16, 32, 32)), (161, (8, 16, 44, 46)), (201, (8, 16, 56, 60))],
)
@pytest.mark.parametrize('order', ORDERS)
def test_shapes(order, depth, widths):
    backbone = make_densenet(order, depth, growth_rate=3, num_steps=3)
    levels = backbone(torch.randn(2, 3, 64, 96))
    assert backbone.out_channels == tuple(3 * width for width in widths)
    assert [tuple(level.shape) for level in levels] == [
        (3, 2, 3 * width, 64 // stride, 96 // stride)
        for width, stride in zip(widths, (4, 8, 16, 32), strict=True)
    ]


@pytest.mark.parametrize('order', ORDERS)
def test_features_are_channels_last(order):
    for level in make_densenet(order)(torch.randn(2, 3, 64, 64)):
        assert level.flatten(0, 1).is_contiguous(memory_format=torch.channels_last)


def test_default_widths_are_torchvisions():
    with torch.device('meta'):
        channels = {depth: DenseNetSNN(depth).out_channels for depth in (121, 161, 201)}
    assert channels == {121: (1024,), 161: (2208,), 201: (1920,)}


@pytest.mark.parametrize('out_indices', [(0,), (1, 2), [0, 3]])
@pytest.mark.parametrize('order', ORDERS)
def test_out_indices(order, out_indices):
    every = make_densenet(order)
    image = torch.randn(2, 3, 64, 64)
    calibrate(every, image).eval()
    some = make_densenet(order, out_indices=out_indices).eval()
    # what is not returned is not built
    assert len(some.stages) == out_indices[-1] + 1
    state = every.state_dict()
    some.load_state_dict({name: state[name] for name in some.state_dict()})
    levels, expected = some(image), every(image)
    assert some.out_channels == tuple(every.out_channels[i] for i in out_indices)
    assert len(levels) == len(out_indices)
    for level, index in zip(levels, out_indices, strict=True):
        assert level.any()
        assert torch.equal(level, expected[index])


@pytest.mark.parametrize('order', ORDERS)
def test_two_calls_agree(order):
    backbone = make_densenet(order)
    image = torch.randn(2, 3, 64, 64)
    calibrate(backbone, image).eval()
    first = backbone(image)
    backbone(torch.randn(3, 3, 32, 32))
    for level, again in zip(first, backbone(image), strict=True):
        assert level.any()
        assert torch.equal(level, again)


def test_stem_and_frames():
    backbone = make_densenet(in_channels=2, stem='cifar', num_steps=3)
    levels = backbone(torch.rand(2, 3, 2, 16, 16))
    assert [level.shape[-1] for level in levels] == [16, 8, 4, 2]


@pytest.mark.parametrize('order', ORDERS)
@pytest.mark.parametrize('frozen_stages', [0, 2])
def test_frozen_stages(frozen_stages, order):
    backbone = make_densenet(order, frozen_stages=frozen_stages).train()
    before = copy.deepcopy(backbone.state_dict())
    levels = backbone(torch.randn(2, 3, 64, 64))
    sum(level.sum() for level in levels[frozen_stages:]).backward()
    for index, part in enumerate([backbone.stem, *backbone.stages]):
        frozen = index <= frozen_stages
        for p in part.parameters():
            assert p.requires_grad is not frozen
            assert (p.grad is None) is frozen
        assert all(module.training is not frozen for module in part.modules())
    changed = {n for n, v in backbone.state_dict().items() if not v.equal(before[n])}
    first = f'stages.{frozen_stages}'
    assert f'{first}.1.branch.0.norm.running_mean' in changed
    assert all(name.split('.')[0] != 'stem' for name in changed)
    for index in range(frozen_stages):
        prefixes = f'stages.{index}.', f'closings.{index}.'
        assert not any(name.startswith(prefixes) for name in changed)


def test_norm_eval():
    backbone = make_densenet(norm_eval=True).train()
    norms = [m for m in backbone.modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) == 1 + 2 * (6 + 12 + 24 + 16) + 3
    assert not any(norm.training for norm in norms)
    assert all(p.requires_grad for p in backbone.parameters())


def test_neuron_norm_and_convolution_configs():
    backbone = make_densenet(
        neuron={'type': 'PLIF', 'init_tau': 1.5},
        norm_cfg={'type': 'GN', 'num_groups': 2},
        conv_cfg={'type': 'ConvWS'},
        init_cfg={'type': 'Constant', 'layer': 'GroupNorm', 'val': 2},
    )
    names = {type(m).__name__ for m in backbone.modules()}
    assert {'PLIF', 'GroupNorm', 'ConvWS2d'} <= names
    assert not names & {'IF', 'BatchNorm2d', 'Conv2d'}
    assert (backbone.stages[1][0][0].norm.weight == 2).all()
    neurons = [m for m in backbone.modules() if isinstance(m, BaseNeuron)]
    assert len(neurons) == 1 + 2 * (6 + 12 + 24 + 16) + 3


MISTAKES = [
    ({'depth': 169}, ValueError, 'depth must be one of 121, 161, 201, but got 169'),
    ({'order': 'SCN'}, ValueError, "order must be one of CNS, NSC, but got 'SCN'"),
    ({'num_steps': 0}, ValueError, 'num_steps must be at least 1, but got 0'),
    ({'in_channels': 0}, ValueError, 'in_channels must be at least 1, but got 0'),
    ({'growth_rate': 0}, ValueError, 'growth_rate must be at least 1, but got 0'),
    (
        {'growth_rate': 4.0},
        TypeError,
        'growth_rate must be an integer, but got 4.0 (float)',
    ),
    ({'out_indices': (4,)}, ValueError, 'must name stages 0 to 3, but got (4,)'),
    ({'out_indices': 3}, TypeError, 'must be a sequence of stages, but got 3 (int)'),
    ({'stem': 'resnet'}, ValueError, 'stem must be one of imagenet, cifar, '),
    ({'neuron': 'IF'}, TypeError, "neuron must be a dict with a type, but got 'IF'"),
    ({'norm_cfg': None}, TypeError, 'norm_cfg must be a dict with a type, but got'),
    ({'frozen_stages': 2}, ValueError, 'frozen_stages must be -1 to 1, the stages'),
    ({'norm_eval': 1}, TypeError, 'norm_eval must be a bool, but got 1 (int)'),
]


@pytest.mark.parametrize(('options', 'error', 'message'), MISTAKES)
def test_mistakes(options, error, message):
    with pytest.raises(error, match=re.escape(message)):
        DenseNetSNN(**{'depth': 121, 'growth_rate': 4, 'out_indices': (0,), **options})


def test_images_that_do_not_fit():
    message = 'expected images of shape [N, 3, H, W]'
    with pytest.raises(ValueError, match=re.escape(message)):
        make_densenet(out_indices=(0,))(torch.randn(2, 1, 32, 32))


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
