"""Weights of other packages' ResNets find their places."""

import argparse
import re
from functools import partial

import pytest
import torch
from spikingjelly.activation_based.model import ms_resnet, sew_resnet, spiking_resnet
from spikingjelly.activation_based.neuron import IFNode

from mmsnn.models import (
    DANet,
    MSResNet,
    PretrainedResNet,
    ResNetSNN,
    SEWResNet,
    SpikingResNet,
    convert_resnet,
)
from mmsnn.models.initializers.published_weights import left_out

from .helpers import assert_filled, resnet

LOADABLE = ['Spiking', 'tdBN', 'SEW-ADD', 'SEW-AND', 'SEW-IAND', 'SG-BSG', 'SG-BSG*']
LOADABLE += ['PA-A', 'MS', 'DANet-C']
PA_A = partial(DANet, variant='A', stem='ms', strides=(2, 2, 2, 2))
STATE_SIZE = {18: 120, 34: 216, 50: 318}  # 20 / 36 / 53 convolutions and norms


@pytest.mark.parametrize(
    ('family', 'depth'),
    [
        ('tdBN', 18),
        ('PA-A', 18),
        ('SG-BSG*', 50),
        pytest.param('tdBN', 50, marks=pytest.mark.slow),
        *(
            pytest.param(family, 18, marks=pytest.mark.slow)
            for family in LOADABLE
            if family not in ('tdBN', 'PA-A')
        ),
    ],
)
def test_torchvision(family, depth, tmp_path):
    theirs = resnet(depth)
    torch.save(theirs.state_dict(), tmp_path / 'resnet.pth')
    ours = ResNetSNN(depth, family)
    before = {name: value.clone() for name, value in ours.state_dict().items()}
    weights = convert_resnet(theirs.state_dict(), ours)
    assert len(weights) == STATE_SIZE[depth]
    assert all(torch.equal(before[name], v) for name, v in ours.state_dict().items())

    PretrainedResNet(str(tmp_path / 'resnet.pth'))(ours)
    assert_filled(theirs, ours)
    # what only the spiking network has is as it was
    own = {name for name in before if name not in weights}
    assert all(torch.equal(ours.state_dict()[name], before[name]) for name in own)
    owners = {re.sub(r'\.(norm\.)?\w+$', '', name) for name in own}
    kinds = {owner.rpartition('.')[2] for owner in owners}
    assert kinds == {'SG-BSG*': {'merge'}, 'tdBN': {'projection'}}.get(family, set())


def test_names(state18):
    weights = convert_resnet(state18, SEWResNet(18))
    for theirs, ours in {
        'conv1.weight': 'stem.encode.conv.weight',
        'bn1.running_var': 'stem.encode.norm.running_var',
        'layer1.0.conv1.weight': 'stages.0.0.branch.0.conv.weight',
        'layer3.1.bn2.bias': 'stages.2.1.branch.1.norm.bias',
        'layer4.0.downsample.0.weight': 'stages.3.0.projection.conv.weight',
        'layer4.0.downsample.1.bias': 'stages.3.0.projection.norm.bias',
        'layer2.1.bn1.num_batches_tracked': (
            'stages.1.1.branch.0.norm.num_batches_tracked'
        ),
    }.items():
        assert weights[ours] is state18[theirs]


@pytest.mark.parametrize('depth', [18, 50])
def test_with_relus_it_computes_what_torchvision_does(depth):
    theirs = resnet(depth).double().eval()
    ours = SpikingResNet(depth, num_steps=1, neuron={'type': 'mmsnn.ReLU'})
    ours.double().eval()
    ours.load_state_dict(convert_resnet(theirs.state_dict(), ours), strict=True)
    expected = []
    theirs.layer4.register_forward_hook(lambda *args: expected.append(args[2]))
    image = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    with torch.no_grad():
        theirs(image)
        (features,) = ours(image)
    assert expected[0].std() > 0.1
    torch.testing.assert_close(features[0], expected[0], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ('make', 'own'),
    [
        # neurons and closings
        (
            lambda: ResNetSNN(
                18, family='PA-A', neuron={'type': 'PLIF'}, out_indices=(0, 3)
            ),
            {'w'},
        ),
        # the attention of a stem
        (
            lambda: MSResNet(18, stem='gac', strides=(1, 2, 2, 2)),
            {
                *(f'stem.spatial_channel.{i}.weight' for i in (1, 4)),
                *(f'stem.temporal.mlp.{i}.weight' for i in (0, 2)),
            },
        ),
        (lambda: MSResNet(18, stem='imagenet'), set()),
    ],
)
def test_what_has_no_counterpart_stays(make, own, state18):
    ours = make()
    weights = convert_resnet(state18, ours)
    assert len(weights) == STATE_SIZE[18]
    left = ours.state_dict().keys() - weights
    assert left == own or {name.rpartition('.')[2] for name in left} == own


def test_without_counts_of_batches(state18):
    old = {k: v for k, v in state18.items() if not k.endswith('num_batches_tracked')}
    ours = SEWResNet(18)
    ours.load_state_dict(convert_resnet(old, ours), strict=False)
    assert ours.stem.encode.norm.num_batches_tracked == 0
    assert torch.equal(ours.stem.encode.norm.running_var, state18['bn1.running_var'])


def test_unbuilt_stages_and_the_classifier_are_left_out(state18):
    ours = SEWResNet(18, out_indices=(0, 1))
    weights = convert_resnet(state18, ours)
    assert set(weights) == set(ours.state_dict())
    skipped = left_out(state18, ours)
    assert {key.partition('.')[0] for key in skipped} == {'layer3', 'layer4', 'fc'}
    assert len(weights) + len(skipped) == len(state18)
    assert left_out(state18, SEWResNet(18)) == ['fc.weight', 'fc.bias']


@pytest.mark.parametrize(
    ('theirs', 'ours'),
    [
        (lambda: sew_resnet.sew_resnet18(cnf='ADD', spiking_neuron=IFNode), SEWResNet),
        (lambda: spiking_resnet.spiking_resnet18(spiking_neuron=IFNode), SpikingResNet),
        (ms_resnet.ms_resnet18, MSResNet),
        (ms_resnet.ms_resnet34, MSResNet),
        (ms_resnet.ms_resnet18, PA_A),
        (ms_resnet.ms_resnet34, PA_A),
    ],
)
def test_spikingjelly(theirs, ours):
    theirs = theirs()
    ours = ours(18 if len(theirs.layer3) == 2 else 34)
    ours.load_state_dict(convert_resnet(theirs.state_dict(), ours), strict=True)
    if hasattr(theirs, 'stem'):
        theirs.conv1, theirs.bn1 = theirs.stem
        del theirs.stem
    assert_filled(theirs, ours)


def like_the_authors(state, container, spiking):
    """Rename torchvision's keys as the SEW authors' classes name theirs."""
    renamed = {}
    for key, value in state.items():
        *block, layer, entry = key.rsplit('.', 2) if key[:5] == 'layer' else [key, '']
        if not entry:
            renamed[key] = value
            continue
        place = block[0]
        if '.downsample' in place:
            place += '' if spiking else '.0'
            new = f'{place}{container}.{layer}.{entry}'
        else:
            index = 0 if layer.startswith('conv') else 1
            new = f'{place}.conv{layer[-1]}{container}.{index}.{entry}'
        renamed[new] = value
    assert len(renamed) == len(state)
    return renamed


@pytest.mark.parametrize(
    ('container', 'spiking', 'ddp'),
    [
        ('.module', False, ''),
        ('.module', True, 'module.'),
        ('', False, 'module.'),
        ('', True, ''),
    ],
)
def test_the_sew_authors_file(container, spiking, ddp, tmp_path):
    theirs = resnet()
    state = like_the_authors(theirs.state_dict(), container, spiking)
    assert f'layer1.0.conv2{container}.1.running_mean' in state
    own = f'layer2.0.downsample{container if spiking else ".0" + container}.0.weight'
    assert own in state
    content = {
        'model': {ddp + key: value for key, value in state.items()},
        'epoch': 3,
        'args': argparse.Namespace(T=4),
    }
    path = tmp_path / 'checkpoint_319.pth'
    torch.save(content, path)
    ours = SpikingResNet(18) if spiking else SEWResNet(18)
    PretrainedResNet(str(path))(ours)
    assert_filled(theirs, ours)
