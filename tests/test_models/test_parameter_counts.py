"""Parameter counts equal the papers' tables."""

import pytest
import torch
from mmpretrain.registry import MODELS
from torch import nn

import mmsnn  # noqa: F401
from mmsnn.models import SEWResNet, SGResNet

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


@pytest.mark.parametrize('entry', [SEWResNet, SGResNet])
@pytest.mark.parametrize('depth', IMAGENET)
def test_imagenet(depth, entry):
    with torch.device('meta'):
        backbone = entry(depth)
        head = nn.Linear(backbone.out_channels[-1], 1000)
    parameters = count_parameters(backbone) + count_parameters(head)
    exact, rounded = IMAGENET[depth]
    assert parameters == exact
    assert millions(parameters) == rounded


def test_learned_gates_add_two_numbers_a_channel():
    blocks = 64 * 2 + 128 * 2 + 256 * 2 + 512 * 2
    with torch.device('meta'):
        plain, learned = SGResNet(18), SGResNet(18, gate='BSG*')
    assert count_parameters(learned) == count_parameters(plain) + 2 * blocks


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
