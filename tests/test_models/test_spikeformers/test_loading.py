"""Published weights of spike-driven Transformers find their places, or are refused."""

import argparse

import pytest
import torch
from torch import nn

from mmsnn.models import (
    ESpikeFormer,
    MetaSpikeFormer,
    PretrainedSpikeFormer,
    convert_spikeformer,
)
from mmsnn.models.initializers.published_spikeformers import left_out
from mmsnn.utils.errors import UserError

from .networks import CHANNELS, LIF
from .reference import Reference

# every kind of key of the published files, with its shape for these channels
KEYS = {
    'V2': {
        'downsample1_1.encode_conv.weight': (4, 3, 7, 7),
        'downsample1_1.encode_conv.bias': (4,),
        'downsample1_2.encode_bn.running_mean': (8,),
        'ConvBlock1_1.0.Conv.pwconv1.weight': (8, 4, 1, 1),
        'ConvBlock1_2.0.Conv.bn1.num_batches_tracked': (),
        'ConvBlock2_1.0.Conv.dwconv.weight': (24, 1, 7, 7),
        'ConvBlock2_2.0.Conv.bn2.bias': (12,),
        'ConvBlock2_2.0.conv2.weight': (12, 48, 3, 3),
        'block3.5.attn.q_conv.0.body.0.weight': (16, 16, 1, 1),
        'block3.5.attn.k_conv.0.body.1.bn.weight': (16,),
        'block3.5.attn.v_conv.0.body.2.0.weight': (16, 1, 3, 3),
        'block4.1.attn.proj_conv.0.body.2.1.weight': (24, 24, 1, 1),
        'block4.1.attn.proj_conv.0.body.2.2.running_var': (24,),
        'block4.1.attn.proj_conv.1.weight': (24,),
        'block4.0.mlp.fc1_conv.weight': (96, 24, 1),
        'block4.0.mlp.fc2_bn.running_var': (24,),
        'head.weight': (10, 24),
    },
    'V3': {
        'ConvBlock1_1.0.Conv.pwconv1.0.weight': (8, 4, 1, 1),
        'ConvBlock1_1.0.Conv.dwconv.1.running_mean': (8,),
        'block3.0.conv.pwconv2.1.weight': (16,),
        'block3.0.conv.dwconv.0.weight': (32, 1, 3, 3),
        'block3.0.attn.v_conv.0.weight': (64, 16, 1, 1),
        'block4.1.attn.proj_conv.0.weight': (24, 96, 1, 1),
        'block4.1.attn.q_conv.1.bias': (24,),
        'block4.1.mlp.fc2_conv.bias': (24,),
        'head.bias': (10,),
    },
}


def networks(kind: str) -> tuple[nn.Module, nn.Module]:
    if kind == 'V2':
        return Reference(CHANNELS, 4, v3=False), MetaSpikeFormer(CHANNELS)
    ours = ESpikeFormer(CHANNELS, num_steps=4, neuron=LIF)
    return Reference(CHANNELS, 1, v3=True), ours


@pytest.mark.parametrize('kind', KEYS)
def test_the_written_out_network_has_the_published_keys(kind):
    state = networks(kind)[0].state_dict()
    shapes = {name: tuple(state[name].shape) for name in KEYS[kind]}
    assert shapes == KEYS[kind]


def wrap(state, how):
    if how == 'model':  # as in classification
        args = argparse.Namespace(epochs=200)
        return {'model': state, 'epoch': 199, 'args': args}
    if how == 'detector':
        inside = {f'backbone.{name}': value for name, value in state.items()}
        inside['neck.fpn_convs.0.conv.weight'] = torch.ones(2, 2, 3, 3)
        return {'meta': {'epoch': 12}, 'state_dict': inside}
    return state


@pytest.mark.parametrize(
    ('kind', 'how'), [('V2', 'plain'), ('V2', 'detector'), ('V3', 'model')]
)
def test_loading(kind, how, tmp_path):
    theirs, ours = networks(kind)
    path = str(tmp_path / 'weights.pth')
    torch.save(wrap(theirs.state_dict(), how), path)
    init_cfg = {'type': 'mmsnn.PretrainedSpikeFormer', 'checkpoint': path}
    settings = {'num_steps': 4, 'neuron': LIF, 'init_cfg': init_cfg}
    loaded = type(ours)(CHANNELS, **settings)
    loaded.init_weights()
    expected = convert_spikeformer(theirs.state_dict(), loaded)
    own = loaded.state_dict()
    assert expected.keys() == own.keys()
    assert all(torch.equal(own[name], value) for name, value in expected.items())
    total = sum(v.sum() for n, v in theirs.state_dict().items() if 'head' not in n)
    assert sum(v.sum() for v in own.values()).item() == pytest.approx(total.item())


def test_stages_that_are_not_built_are_left_out():
    theirs = networks('V2')[0].state_dict()
    ours = MetaSpikeFormer(CHANNELS, out_indices=(1, 2))
    weights = convert_spikeformer(theirs, ours)
    assert weights.keys() == {n for n in ours.state_dict() if 'closings' not in n}
    skipped = left_out(theirs, ours)
    assert {name.partition('.')[0] for name in skipped} == {
        'downsample4',
        'block4',
        'head',
    }


@pytest.mark.parametrize(
    ('change', 'problem'),
    [
        (lambda s: s.update({'block3.0.attn.x_conv.1.weight': torch.ones(16)}), 'no p'),
        (lambda s: s.update({'block3.6.mlp.fc1_bn.bias': torch.ones(64)}), 'no place'),
        (lambda s: s.update({'extra': torch.ones(1)}), 'no place for extra'),
        (lambda s: s.pop('block4.1.mlp.fc1_conv.bias'), 'nothing for stages.3.2.bra'),
        (lambda s: s.pop('ConvBlock2_2.0.bn2.running_var'), 'nothing for stages.1.2'),
        (lambda s: s.update({'downsample4.encode_bn.bias': torch.ones(9)}), 'shapes'),
        (lambda s: s.update({'downsample4.encode_bn.bias': 1}), 'no place for downs'),
    ],
)
def test_what_does_not_fit_is_named(change, problem, tmp_path):
    theirs, ours = networks('V2')
    state = theirs.state_dict()
    change(state)
    torch.save(state, tmp_path / 'weights.pth')
    before = {name: value.clone() for name, value in ours.state_dict().items()}
    with pytest.raises(UserError, match=problem):
        PretrainedSpikeFormer(str(tmp_path / 'weights.pth'))(ours)
    assert all(torch.equal(before[name], v) for name, v in ours.state_dict().items())


@pytest.mark.parametrize(('weights', 'into'), [('V2', 'V3'), ('V3', 'V2')])
def test_the_other_generation_does_not_fit(weights, into):
    with pytest.raises(ValueError, match='weights do not fit'):
        convert_spikeformer(networks(weights)[0].state_dict(), networks(into)[1])


def test_it_is_for_spikeformers():
    with pytest.raises(TypeError, match='MetaSpikeFormer .* got Conv2d'):
        PretrainedSpikeFormer('weights.pth')(nn.Conv2d(1, 1, 1))
    with pytest.raises(TypeError, match='a path or a URL, but got'):
        PretrainedSpikeFormer(None)
    with pytest.raises(
        ValueError, match='no key is that of a spike-driven Transformer'
    ):
        convert_spikeformer({'conv1.weight': torch.ones(1)}, networks('V2')[1])
