"""What does not fit is named."""

import pytest
import torch

from mmsnn.models import DANet, MSResNet, ResNetSNN, SEWResNet, convert_resnet


def message(state, network):
    with pytest.raises(ValueError, match='^(weights do not fit|no key is)') as error:
        convert_resnet(state, network)
    return str(error.value)


def test_unknown_keys(state18):
    state = {
        **state18,
        'layer1.0.conv3.weight': torch.ones(1),
        'extra.w': torch.ones(1),
    }
    assert message(state, SEWResNet(18)) == (
        'weights do not fit SEWResNet18 (units CNS, last CNS): no place for '
        'layer1.0.conv3.weight, extra.w'
    )


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
    ],
)
def test_a_key_without_a_place(key, state18):
    text = message({**state18, key: torch.ones(1)}, SEWResNet(18))
    assert text.endswith(f': no place for {key}')


def test_two_keys_for_one_place(state18):
    state = {**state18, 'stem.0.weight': state18['conv1.weight']}
    assert message(state, SEWResNet(18)).endswith(': no place for stem.0.weight')


def test_what_is_no_tensor_has_no_place(state18):
    assert message({**state18, 'bn1.weight': 1.0}, SEWResNet(18)).endswith(
        ': no place for bn1.weight; nothing for stem.encode.norm.weight'
    )


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
    assert message(state, SEWResNet(18)).endswith(f'CNS): nothing for {name}')


def test_wrong_shape(state18):
    assert message(state18, SEWResNet(18, in_channels=2)).endswith(
        ': other shapes: conv1.weight ([64, 3, 7, 7], but stem.encode.conv.weight is '
        '[64, 2, 7, 7])'
    )


def test_norms_before_their_convolutions(state18):
    text = message(state18, DANet(18, 'B'))
    # most of them have the right shapes
    assert 'DANet18 (units NSC, last NSC): no place for layer1.0.bn1.weight, ' in text
    assert ' and 90 more; nothing for stages.0.0.branch.0.norm.bias, ' in text


@pytest.mark.parametrize('family', ['BAA', 'DANet-D'])
def test_norm_after_addition(family, state18):
    text = message(state18, ResNetSNN(18, family))
    assert ': no place for layer1.0.bn2.weight, layer1.0.bn2.bias, ' in text
    assert text.endswith(' and 50 more')  # 8 last norms, 3 of projections, 5 tensors


def test_other_networks(state18):
    assert 'no place for layer1.1.conv1.weight, ' in message(state18, SEWResNet(10))
    text = message(state18, SEWResNet(34))
    assert ': nothing for stages.0.2.branch.0.conv.weight, ' in text
    text = message(state18, SEWResNet(50))
    assert 'nothing for stages.0.0.branch.2.conv.weight, ' in text
    assert 'other shapes: layer1.0.conv1.weight ([64, 64, 3, 3], but stages' in text
    assert 'no place for layer2.0.downsample.0' in message(
        state18, ResNetSNN(18, 'plain')
    )


def test_ms_resnet_from_torchvision(state18):
    assert ': nothing for stages.0.0.projection.conv.weight, ' in message(
        state18, MSResNet(18)
    )
    assert ': nothing for stem.lead.0.bias, stem.lead.0.weight, ' in message(
        state18, MSResNet(18, stem='ms104', strides=(1, 2, 2, 2))
    )
    ours = MSResNet(18, stem='imagenet')
    assert len(convert_resnet(state18, ours)) == 120


def test_other_norms(state18):
    ours = SEWResNet(18, norm_cfg={'type': 'GN', 'num_groups': 8})
    assert ': no place for bn1.running_mean, ' in message(state18, ours)


def test_our_own_checkpoint():
    ours = SEWResNet(10)
    assert message(ours.state_dict(), ours) == (
        'no key is of a ResNet: stem.encode.conv.weight, stem.encode.norm.weight, '
        'stem.encode.norm.bias, stem.encode.norm.running_mean, '
        'stem.encode.norm.running_var and 67 more (a checkpoint of this package is '
        "loaded by type='Pretrained')"
    )
