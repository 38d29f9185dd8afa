"""Parameter counts equal the papers' tables."""

import pytest
import torch
from mmpretrain.registry import MODELS
from torch import nn

import mmsnn  # noqa: F401
from mmsnn.models import FAMILIES, MSResNet, ResNetSNN

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


# What a block has more than the ANN's: of its channels in and out, and whether it
# projects.
DIFFERENCES = {
    # no projections
    'plain': lambda c, out, projects: -projection(c, out) if projects else 0,
    # a norm on each shortcut without projection
    'tdBN': lambda c, out, projects: 0 if projects else norm(out),
    # one norm behind the addition instead of one on each added path that has one
    'BAA': lambda c, out, projects: -norm(out) if projects else 0,
    'DANet-D': lambda c, out, projects: -norm(out) if projects else 0,
    # norms in front of the convolutions: of the input instead of the output, and none
    # behind the projection
    'PA-B': lambda c, out, projects: (
        norm(c) - norm(out) - (norm(out) if projects else 0)
    ),
    # W and B of each gate
    'SG-BSG*': lambda c, out, projects: 2 * out,
}
DIFFERENCES['DANet-B'] = DIFFERENCES['PA-B']


# a norm behind each convolution and none elsewhere, as in torchvision's ResNets
AS_THE_ANN = [name for name in FAMILIES if name not in DIFFERENCES]


@pytest.mark.parametrize('family', AS_THE_ANN)
@pytest.mark.parametrize('depth', IMAGENET)
def test_imagenet(depth, family):
    parameters = count_imagenet(ResNetSNN, depth, family)
    exact, rounded = IMAGENET[depth]
    assert parameters == exact
    assert millions(parameters) == rounded


@pytest.mark.parametrize('family', DIFFERENCES)
@pytest.mark.parametrize('depth', IMAGENET)
def test_imagenet_with_other_norms(depth, family):
    difference = sum(DIFFERENCES[family](*block) for block in block_channels(depth))
    assert difference != 0
    if family in ('PA-B', 'DANet-B'):
        # a norm closes the last stage
        difference += norm(512 * (4 if depth >= 50 else 1))
    expected = IMAGENET[depth][0] + difference
    assert count_imagenet(ResNetSNN, depth, family) == expected


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


def test_ms_resnet_for_cifar():
    # Qiu et al., Table 1, with a classifier of 10 classes
    with torch.device('meta'):
        backbone = MSResNet(18, layout='cifar')
    parameters = count_parameters(backbone) + 512 * 10 + 10
    assert millions(parameters) == 12.50


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
