"""Inference in bf16: under autocast, and of a backbone that is cast."""

import copy

import pytest
import torch

from mmsnn.deploy import fold_norms
from mmsnn.models import DenseNetSNN, SevenBNet, SpikeDecoder
from mmsnn.ops import native, neuron_reference

from ..helpers import FAMILY_ENTRIES, calibrate, make_backbone
from .networks import make_active

DECODERS = [dict(type='Rate'), dict(type='ASD', channel_reduction=4)]
MEAN, STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]


def states_of(monkeypatch):
    """Return a list that collects the dtypes of the neurons' potentials."""
    dtypes = []

    def recorded(run):
        def record(*args):
            spikes, potentials = run(*args)
            dtypes.append(potentials.dtype)
            return spikes, potentials

        return record

    for module in (native, neuron_reference):
        monkeypatch.setattr(module, 'multi_step', recorded(module.multi_step))
    return dtypes


@torch.no_grad()
def check(backbone, image, monkeypatch, decoder=DECODERS[0]):
    backbone.eval()
    dtypes = states_of(monkeypatch)
    expected = backbone(image)
    neck = SpikeDecoder(backbone.out_channels, backbone.num_steps, decoder).eval()
    with torch.autocast('cpu', torch.bfloat16):
        levels = backbone(image)
        assert {level.dtype for level in neck(levels)} == {torch.bfloat16}
    cast = fold_norms(backbone).to(torch.bfloat16)
    for got in (levels, cast(image)):
        for level, right in zip(got, expected, strict=True):
            assert level.dtype == torch.bfloat16
            assert level.shape == right.shape
            # bf16 flips spikes, but does not silence or excite the network
            assert 0.5 * right.mean() < level.float().mean() < 2 * right.mean()
        # what follows is in fp32, unless it is cast too
        assert {level.dtype for level in neck(got)} == {torch.float32}
    assert {d.dtype for d in neck.to(torch.bfloat16)(levels)} == {torch.bfloat16}
    assert set(dtypes) == {torch.float32}
    first = (levels[0].float() != expected[0]).float().mean()
    assert first < 0.1


@pytest.mark.parametrize('family', FAMILY_ENTRIES)
def test_families(family, monkeypatch):
    check(make_active(family, 10), torch.randn(2, 3, 64, 64), monkeypatch)


@pytest.mark.parametrize('stem', ['cifar', 'ms104', 'gac'])
def test_stems_and_attention(stem, monkeypatch):
    backbone = make_active('MS', 10, stem=stem, out_indices=(0, 1))
    check(backbone, torch.randn(2, 3, 32, 32), monkeypatch, DECODERS[1])


@pytest.mark.parametrize('neuron', [dict(type='LIF', v_reset=None), dict(type='PLIF')])
def test_neurons(neuron, monkeypatch):
    backbone = make_active('SG-BSG', 10, neuron=neuron, out_indices=(0, 1))
    check(backbone, torch.randn(2, 3, 64, 64), monkeypatch, DECODERS[1])


def test_densenet(monkeypatch):
    backbone = DenseNetSNN(121, 'NSC', num_steps=2, growth_rate=4, out_indices=(0, 1))
    backbone.init_weights()
    calibrate(backbone, torch.randn(4, 3, 64, 64))
    check(backbone, torch.randn(2, 3, 64, 64), monkeypatch)


def test_seven_b(monkeypatch):
    backbone = SevenBNet('SG-BSG', num_steps=2, out_indices=(0, 1))
    backbone.init_weights()
    frames = torch.rand(2, 2, 2, 32, 32)
    calibrate(backbone, frames)
    check(backbone, frames, monkeypatch)


@pytest.mark.parametrize('kind', ['RateStem', 'LatencyStem', 'PhaseStem'])
@torch.no_grad()
def test_a_cast_stem_codes_the_same_intensities(kind):
    # in bf16 the preprocessor's mean would be 123.5, and the code another
    stem = dict(type=kind, mean=MEAN, std=STD)
    stem |= dict(period=2) if kind == 'PhaseStem' else {}
    backbone = make_backbone('SG-BSG', 10, stem=stem, out_indices=(0,)).eval()
    mean, std = (torch.tensor(v).view(-1, 1, 1) for v in (MEAN, STD))
    image = (torch.randint(0, 256, (2, 3, 32, 32)).float() - mean) / std
    cast = copy.deepcopy(backbone).to(torch.bfloat16)
    codes = [b.stem.code(b.stem.intensities(image)).float() for b in (backbone, cast)]
    assert torch.equal(*codes)
    assert cast(image)[0].dtype == torch.bfloat16


@torch.no_grad()
def test_rates_are_exact():
    # 1 / 3 is rounded in bf16
    neck = SpikeDecoder([4], 3)
    spikes = (torch.rand(3, 2, 4, 5, 5) < 0.5).float()
    assert torch.equal(neck([spikes.bfloat16()])[0], spikes.mean(0))
    assert neck([spikes.double()])[0].dtype == torch.float64
