"""What is folded in any network, what stays, and what a folded network refuses."""

import copy

import pytest
import torch
import torchvision
from mmcv.cnn import ConvModule
from mmdet.models import ResNet
from mmdet.models.dense_heads import RetinaSepBNHead
from mmengine.model import MMDistributedDataParallel
from mmengine.runner.checkpoint import load_state_dict
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmsnn.deploy import FoldedNorm, fold_norms
from mmsnn.models.layers import LayerFactory, Unit

LAYERS = LayerFactory(1, dict(type='IF'), dict(type='BN'))


def spread(model):
    """Give the norms statistics and parameters as after a training."""
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            if module.running_mean is not None:
                nn.init.normal_(module.running_mean)
                nn.init.uniform_(module.running_var, 0.5, 2.0)
            if module.affine:
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias)
    return model.double().eval()


def count(model, kind):
    return sum(isinstance(module, kind) for module in model.modules())


@torch.no_grad()
def folds(model, *inputs):
    """Return how many norms are folded, after a check that outputs stay."""
    spread(model)
    inputs = [x.double() for x in inputs]
    folded = fold_norms(model)
    torch.testing.assert_close(folded(*inputs), model(*inputs), rtol=1e-9, atol=1e-9)
    number = count(folded, FoldedNorm)
    assert number + count(folded, _BatchNorm) == count(model, _BatchNorm)
    return number


def conv(channels=4, **options):
    return nn.Conv2d(4, channels, 3, padding=1, **options)


def image():
    return torch.randn(2, 4, 6, 6)


@pytest.mark.parametrize(
    ('order', 'number'),
    [('CN', 1), ('CNS', 1), ('SCN', 1), ('NSC', 0), ('NC', 0), ('CSN', 0), ('NS', 0)],
)
def test_orders(order, number):
    assert folds(Unit(order, 4, 4, 3, 1, LAYERS), image()) == number


@pytest.mark.parametrize('order', [('conv', 'norm', 'act'), ('act', 'conv', 'norm')])
def test_conv_modules(order):
    module = ConvModule(4, 6, 3, norm_cfg=dict(type='BN'), order=order)
    assert folds(module, image()) == 1


@pytest.mark.parametrize('order', [('norm', 'conv', 'act'), ('conv', 'act', 'norm')])
def test_conv_modules_of_other_orders(order):
    # the parts are listed as convolution and norm, whatever the order
    module = ConvModule(4, 4, 3, norm_cfg=dict(type='BN'), order=order)
    assert folds(module, image()) == 0


@pytest.mark.parametrize(
    ('layers', 'number'),
    [
        ([conv(groups=2, bias=False), nn.BatchNorm2d(4)], 1),
        ([conv(), nn.SyncBatchNorm(4)], 1),
        ([conv(), nn.BatchNorm2d(4, affine=False)], 1),
        ([conv(), nn.Sequential(nn.BatchNorm2d(4))], 1),
        ([conv(), nn.BatchNorm2d(4), nn.BatchNorm2d(4)], 1),
        ([conv(), nn.ReLU(), nn.BatchNorm2d(4)], 0),
        ([conv(), nn.BatchNorm2d(4, track_running_stats=False)], 0),
        ([conv(), nn.InstanceNorm2d(4, track_running_stats=True)], 0),
        ([conv(), nn.GroupNorm(2, 4)], 0),
        ([nn.utils.parametrizations.weight_norm(conv()), nn.BatchNorm2d(4)], 0),
        ([nn.utils.spectral_norm(conv()), nn.BatchNorm2d(4)], 0),
    ],
)
def test_sequences(layers, number):
    assert folds(nn.Sequential(*layers), image()) == number


def test_standardised_weights_stay():
    module = ConvModule(4, 4, 3, conv_cfg=dict(type='ConvWS'), norm_cfg=dict(type='BN'))
    assert folds(module, image()) == 0


def test_volumes():
    layers = nn.Sequential(nn.Conv3d(2, 4, 3), nn.BatchNorm3d(4))
    assert folds(layers, torch.randn(2, 2, 5, 5, 5)) == 1


class Twice(nn.Module):
    """A convolution whose output a norm takes, and something else."""

    def __init__(self, how):
        super().__init__()
        self.how = how
        self.conv = nn.Sequential(conv())
        self.norm = nn.BatchNorm2d(4)

    def forward(self, x):
        y = self.conv(x)
        if self.how == 'output':
            return self.norm(y) + y
        if self.how == 'conv':
            return self.norm(y) + self.conv(2 * x)
        if self.how == 'norm':
            return self.norm(self.norm(y))
        return self.norm(y) if x.mean() > 0 else y


@pytest.mark.parametrize('how', ['output', 'conv', 'norm', 'values'])
def test_what_is_used_twice_stays(how):
    assert folds(Twice(how), image()) == 0


class Sharing(nn.Module):
    """Two modules that share a sequence, which only one follows by a norm."""

    def __init__(self):
        super().__init__()
        shared = nn.Sequential(conv())
        self.one = nn.Sequential(shared, nn.BatchNorm2d(4))
        self.other = nn.Sequential(shared, nn.ReLU())

    def forward(self, x):
        return self.one(x) + self.other(x)


def test_a_shared_sequence_stays():
    assert folds(Sharing(), image()) == 0


def test_shared_convolutions_get_their_own_norms():
    # of each level its own norms, of all the same convolutions
    head = RetinaSepBNHead(
        num_classes=2,
        num_ins=2,
        in_channels=4,
        feat_channels=4,
        stacked_convs=2,
        norm_cfg=dict(type='BN'),
        anchor_generator=dict(
            type='AnchorGenerator', ratios=[1.0], scales=[1.0], strides=[8, 16]
        ),
    )
    spread(head)
    levels = [torch.randn(1, 4, 6, 6).double() for _ in range(2)]
    folded = fold_norms(head)
    assert count(folded, FoldedNorm) == 8
    with torch.no_grad():
        torch.testing.assert_close(folded(levels), head(levels))


def test_what_has_hooks_stays():
    for part in (0, 1):
        layers = nn.Sequential(conv(), nn.BatchNorm2d(4))
        layers[part].register_forward_hook(lambda *_: None)
        assert folds(layers, image()) == 0


@pytest.mark.parametrize(
    ('model', 'number'),
    [
        (torchvision.models.resnet18(), 20),
        (torchvision.models.mobilenet_v2(), 52),
        (ResNet(50, style='caffe', deep_stem=True), 55),
    ],
    ids=['resnet18', 'mobilenet_v2', 'mmdet-resnet50'],
)
def test_networks_of_others(model, number):
    assert folds(model, torch.randn(1, 3, 64, 64)) == number


def test_the_network_given_stays():
    layers = nn.Sequential(conv(), nn.BatchNorm2d(4)).train()
    state = copy.deepcopy(layers.state_dict())
    folded = fold_norms(layers)
    assert layers.training and layers[1].training
    assert isinstance(layers[1], nn.BatchNorm2d)
    assert not any(module.training for module in folded.modules())
    for name, value in layers.state_dict().items():
        assert torch.equal(value, state[name])
    assert folded.eval() is folded
    assert count(fold_norms(folded), FoldedNorm) == 1


def test_training_is_refused():
    folded = fold_norms(nn.Sequential(conv(), nn.BatchNorm2d(4)))
    with pytest.raises(RuntimeError, match='inference: train the original'):
        folded.train()


@pytest.mark.parametrize('load', [nn.Module.load_state_dict, load_state_dict])
def test_weights_that_are_not_folded_are_refused(load):
    layers = nn.Sequential(conv(), nn.BatchNorm2d(4))
    folded = fold_norms(layers)
    with pytest.raises(ValueError, match='the norm .1., .* load them into'):
        load(folded, layers.state_dict(), strict=False)
    state = copy.deepcopy(folded.state_dict())
    load(folded, state, strict=True)
    assert torch.equal(folded[0].weight, state['0.weight'])


def test_mistakes():
    with pytest.raises(TypeError, match="must be an nn.Module, but got 'model'"):
        fold_norms('model')
    wrapper = MMDistributedDataParallel.__new__(MMDistributedDataParallel)
    nn.Module.__init__(wrapper)
    with pytest.raises(
        TypeError, match=r'MMDistributedDataParallel wraps, its \.module'
    ):
        fold_norms(wrapper)
