"""Parameter counts equal the papers' tables."""

import pytest
import torch
from mmpretrain.registry import MODELS
from torch import nn

import mmsnn  # noqa: F401
from mmsnn.models import FAMILIES, MSResNet, ResNetSNN
from mmsnn.models.backbones.resnet import ARCHITECTURES

from .helpers import count_parameters

# torchvision's ResNets, classifier of 1000 classes included
IMAGENET = {
    18: (11_689_512, 11.69),
    34: (21_797_672, 21.80),
    50: (25_557_032, 25.56),
    101: (44_549_160, 44.55),
    152: (60_192_808, 60.19),
}


def millions(count: int) -> float:
    return round(count / 1e6, 2)


def classifier(backbone, neck):
    return MODELS.build(
        {
            'type': 'ImageClassifier',
            'backbone': backbone,
            'neck': neck,
            'head': {'type': 'LinearClsHead', 'num_classes': 100, 'in_channels': 512},
        }
    )


def count_imagenet(entry, *args):
    """Return the parameters of a network with a classifier of 1000 classes."""
    with torch.device('meta'):
        backbone = entry(*args)
        head = nn.Linear(backbone.out_channels[-1], 1000)
    return count_parameters(backbone) + count_parameters(head)


def block_channels(depth):
    """Return the channels in and out of each block, and whether it projects."""
    blocks = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}
    blocks |= {101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
    channels, expansion = 64, 4 if depth >= 50 else 1
    for stage, count in enumerate(blocks[depth]):
        out = 64 * 2**stage * expansion
        for i in range(count):
            yield channels, out, i == 0 and (stage > 0 or channels != out)
            channels = out


def norm(channels):
    return 2 * channels  # a weight and a bias each


def projection(channels, out):
    return channels * out + norm(out)


def unit_norms(order, channels, out):
    """Return the parameters of a unit's norm, which is before or after C."""
    before, convolution, after = order.partition('C')
    if 'N' in before or not convolution:
        return norm(channels) if 'N' in order else 0
    return norm(out) if 'N' in after else 0


def difference(row, convolutions, channels, out, projects):
    """Return what a block of a family has more than the ANN's, by its row's letters.

    The ANN has a norm behind each convolution, and projects where the size changes.
    """
    count = -projection(channels, out) if projects else 0
    orders = [row.unit] * (len(convolutions) - 1) + [row.last_unit]
    for order, (before, after, *_) in zip(orders, convolutions, strict=True):
        count += unit_norms(order, before, after) - norm(after)
    if row.merge is not None:
        if projects:
            new = out - channels if row.concatenates and out > channels else out
            count += channels * new + unit_norms(row.projection, channels, new)
        else:
            count += unit_norms(row.identity, out, out)
        count += count_parameters(row.merge(out, **row.merge_options))
    return count + unit_norms(row.post, out, out)


def differences(family, depth):
    """Return what a ResNet of a family has more than the ANN."""
    row, block = FAMILIES[family], ARCHITECTURES[depth].block
    total = 0
    for channels, out, projects in block_channels(depth):
        convolutions = block.conv_shapes(channels, out // block.expansion, 1)
        total += difference(row, convolutions, channels, out, projects)
    # what is analog is closed as the next block would begin
    return total + unit_norms(row.closing, out, out)


# a norm behind each convolution and none elsewhere, as in torchvision's ResNets
AS_THE_ANN = [
    name for name in FAMILIES if not any(differences(name, depth) for depth in IMAGENET)
]


def test_the_families_with_the_parameters_of_the_ann():
    # the papers give one number of parameters for these
    assert {'Spiking', 'SEW-ADD', 'SG-BSG', 'DANet-A', 'DANet-C', 'MS'} < {*AS_THE_ANN}


@pytest.mark.parametrize(
    ('depth', 'family'),
    [
        pytest.param(
            depth,
            family,
            marks=pytest.mark.slow
            if depth > 50 and family not in ('SEW-ADD', 'PA-B')
            else (),
        )
        for depth in IMAGENET
        for family in FAMILIES
    ],
)
def test_imagenet(depth, family):
    parameters = count_imagenet(ResNetSNN, depth, family)
    exact, rounded = IMAGENET[depth]
    assert parameters == exact + differences(family, depth)
    if family in AS_THE_ANN:
        assert millions(parameters) == rounded


@pytest.mark.parametrize(
    ('depth', 'exact', 'rounded'),
    [(18, 11_693_736, 11.69), (34, 21_801_896, 21.80), (104, 77_350_440, 77.35)],
)
def test_ms_resnet(depth, exact, rounded):
    parameters = count_imagenet(MSResNet, depth)
    assert parameters == exact
    assert millions(parameters) == rounded
    if depth in IMAGENET:
        # stride 2 in the first stage: its shortcut is projected
        assert parameters == IMAGENET[depth][0] + projection(64, 64)


def test_cifar_ann():
    ann = classifier(
        {'type': 'ResNet_CIFAR', 'depth': 18, 'out_indices': (3,), 'style': 'pytorch'},
        {'type': 'GlobalAveragePooling'},
    )
    assert count_parameters(ann) == 11_220_132
    assert millions(count_parameters(ann)) == 11.22


def test_cifar_sg_resnet_with_asd():
    snn = classifier(
        {'type': 'mmsnn.SGResNet', 'depth': 18, 'stem': 'cifar', 'num_steps': 4},
        [
            {
                'type': 'mmsnn.SpikeDecoder',
                'in_channels': [512],
                'num_steps': 4,
                'decoder': {'type': 'ASD'},
            },
            {'type': 'GlobalAveragePooling'},
        ],
    )
    # the ANN's, and the decoder's 0.033 M
    assert count_parameters(snn) == 11_220_132 + 32_898
    assert millions(count_parameters(snn)) == 11.25
    snn.init_weights()
    assert snn(torch.randn(2, 3, 32, 32), mode='tensor').shape == (2, 100)
    scores = snn.eval().predict(torch.randn(2, 3, 32, 32))
    assert len(scores) == 2
    assert scores[0].pred_score.shape == (100,)
