"""What does not fit is named."""

import pytest
import torch

from mmsnn.models import DANet, MSResNet, ResNetSNN, SEWResNet, convert_resnet

ONE = torch.ones(1)


def message(state, network):
    with pytest.raises(ValueError, match='^(weights do not fit|no key is)') as error:
        convert_resnet(state, network)
    return str(error.value)


def test_the_network_and_all_keys_are_named(state18):
    state = {**state18, 'layer1.0.conv3.weight': ONE, 'extra.w': ONE}
    text = message(state, SEWResNet(18))
    assert 'SEWResNet18 (units CNS, last CNS)' in text
    assert text.endswith('no place for layer1.0.conv3.weight, extra.w')


@pytest.mark.parametrize(
    'key',
    [
        'layer0.0.conv1.weight',
        'layer5.0.conv1.weight',
        'layer1.2.conv1.weight',
        'layer1.0.conv1.2.weight',
        'layer1.0.downsample.0.weight',
        'layer1.0.sn1.w',
        'conv1.bias',
        'fc.0.weight',
        'stages.0.0.branch.0.conv.weight',
        'stem.0.weight',  # a second one for a place
    ],
)
def test_a_key_without_a_place(key, state18):
    text = message({**state18, key: ONE}, SEWResNet(18))
    assert text.endswith(f': no place for {key}')


@pytest.mark.parametrize(
    ('key', 'name'),
    [
        ('conv1.weight', 'stem.encode.conv.weight'),
        ('layer4.1.bn2.running_var', 'stages.3.1.branch.1.norm.running_var'),
        ('layer2.0.downsample.1.bias', 'stages.1.0.projection.norm.bias'),
    ],
)
def test_missing_key(key, name, state18):
    state = {k: v for k, v in state18.items() if k != key}
    assert message(state, SEWResNet(18)).endswith(f': nothing for {name}')
    # what is no tensor has no place
    text = message({**state18, key: 1.0}, SEWResNet(18))
    assert text.endswith(f': no place for {key}; nothing for {name}')


SHAPES = 'other shapes: '
WIDE = 'conv1.weight ([64, 3, 7, 7], but stem.encode.conv.weight is [64, 2, 7, 7])'


@pytest.mark.parametrize(
    ('make', 'words'),
    [
        (lambda: SEWResNet(18, in_channels=2), [SHAPES + WIDE]),
        # norms before their convolutions: most of them have the right shapes
        (
            lambda: DANet(18, 'B'),
            [
                'DANet18 (units NSC, last NSC): no place for layer1.0.bn1.weight, ',
                ' and 90 more; nothing for stages.0.0.branch.0.norm.bias, ',
            ],
        ),
        # norms after the addition: 8 last ones, 3 of projections, 5 tensors
        *(
            (
                lambda family=family: ResNetSNN(18, family),
                [': no place for layer1.0.bn2.weight, layer1.0.bn2.bias, ', ' 50 more'],
            )
            for family in ('BAA', 'DANet-D')
        ),
        (lambda: SEWResNet(10), ['no place for layer1.1.conv1.weight, ']),
        (lambda: SEWResNet(34), [': nothing for stages.0.2.branch.0.conv.weight, ']),
        (
            lambda: SEWResNet(50),
            [
                'nothing for stages.0.0.branch.2.conv.weight, ',
                SHAPES + 'layer1.0.conv1.weight ([64, 64, 3, 3], but stages',
            ],
        ),
        (lambda: ResNetSNN(18, 'plain'), ['no place for layer2.0.downsample.0']),
        (lambda: MSResNet(18), [': nothing for stages.0.0.projection.conv.weight, ']),
        (
            lambda: MSResNet(18, stem='ms104', strides=(1, 2, 2, 2)),
            [': nothing for stem.lead.0.bias, stem.lead.0.weight, '],
        ),
        (
            lambda: SEWResNet(18, norm_cfg={'type': 'GN', 'num_groups': 8}),
            [': no place for bn1.running_mean, '],
        ),
    ],
)
def test_other_networks(make, words, state18):
    with torch.device('meta'):
        network = make()
    text = message(state18, network)
    assert all(part in text for part in words)


def test_our_own_checkpoint():
    ours = SEWResNet(10)
    text = message(ours.state_dict(), ours)
    assert text.startswith('no key is that of a ResNet: stem.encode.conv.weight, stem.')
    assert 'and 67 more' in text and "type='Pretrained'" in text
