"""Weights of 8 bits: exact sums, what is converted, and what cannot be."""

import copy
import io
from dataclasses import replace

import pytest
import torch
from contracts.parts import CASES, active_backbone, case_id
from test_deploy.int8_check import check_int8
from test_models.helpers import FAMILY_ENTRIES, calibrate, make_backbone
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional as F

from mmsnn.deploy import fold_norms
from mmsnn.deploy.int8 import quantize_int8
from mmsnn.deploy.int8_layers import LARGEST_SUM, SpikePool, SpikingConv2d
from mmsnn.models import (
    FAMILIES,
    ResNetSNN,
)
from mmsnn.models.backbones.resnet import Architecture
from mmsnn.models.residual import BasicBlock, GateMerge

ANALOG = {name for name in FAMILIES if FAMILIES[name].values == 'analog'}


def make_folded(family: str = 'SG-BSG', depth: int = 10, **options) -> nn.Module:
    backbone = make_backbone(family, depth, **options)
    calibrate(backbone, torch.randn(4, 3, 32, 32))
    return fold_norms(backbone.eval())


def make_spikes(*shape: int, largest: int = 1) -> torch.Tensor:
    spikes = torch.randint(largest + 1, shape, dtype=torch.uint8)
    return spikes.contiguous(memory_format=torch.channels_last)


CONVS = [
    dict(kernel_size=3, padding=1),
    dict(kernel_size=3, padding=1, stride=2),
    dict(kernel_size=1, stride=2, bias=False),
    dict(kernel_size=3, padding=2, dilation=2, groups=2),
]


@pytest.mark.parametrize('options', CONVS)
@pytest.mark.parametrize('largest', [1, LARGEST_SUM])
@pytest.mark.parametrize('packed', [True, False])
def test_sums_are_exact(options, largest, packed, monkeypatch):
    if not packed:
        monkeypatch.setattr(SpikingConv2d, '_can_pack', lambda self: False)
    conv = nn.Conv2d(24, 20, **options)
    layer = SpikingConv2d(conv)
    if packed and not layer._can_pack():
        pytest.skip('PyTorch has no oneDNN here')
    spikes = make_spikes(3, 24, 13, 11, largest=largest)
    y = layer(spikes)
    bias = None if conv.bias is None else conv.bias.double()
    shape = (conv.stride, conv.padding, conv.dilation, conv.groups)
    expected = F.conv2d(spikes.double(), layer.dequantized().double(), bias, *shape)
    # the scale, its product and the bias are rounded to 24 bits, the sum is not
    tolerance = 3 * 2**-24 * expected.abs().max()
    assert (y - expected).abs().max() <= tolerance
    assert y.dtype == torch.float32
    assert y.is_contiguous(memory_format=torch.channels_last)


def test_shapes_may_change():
    layer = SpikingConv2d(nn.Conv2d(8, 8, 3))
    images = [make_spikes(1, 8, size, 9) for size in range(5, 12)]
    first = [layer(image) for image in images]
    for image, y in zip(images, first, strict=True):
        assert torch.equal(layer(image), y)
        expected = F.conv2d(image.float(), layer.dequantized(), layer.bias)
        torch.testing.assert_close(y, expected)


def test_the_largest_sums_do_not_saturate():
    conv = nn.Conv2d(64, 4, 3, bias=False)
    nn.init.constant_(conv.weight, 127.0)
    layer = SpikingConv2d(conv)
    spikes = torch.full((1, 64, 3, 3), LARGEST_SUM, dtype=torch.uint8)
    assert (layer(spikes) == 127 * LARGEST_SUM * 64 * 9).all()


def test_weights_are_rounded_to_half_a_step_of_their_channel():
    conv = nn.Conv2d(4, 5, 3)
    with torch.no_grad():
        conv.weight[1] *= 1000
        conv.weight[2] = 0
    layer = SpikingConv2d(conv)
    error = (layer.dequantized() - conv.weight).abs().amax((1, 2, 3))
    assert (error <= layer.scale * 0.5001).all()
    assert error[2] == 0
    assert layer.weight.abs().amax((1, 2, 3)).tolist() == [127, 127, 0, 127, 127]


@pytest.mark.parametrize('ceil_mode', [True, False])
def test_pools_of_bytes(ceil_mode):
    pool = SpikePool(3, stride=2, padding=1, ceil_mode=ceil_mode)
    spikes = make_spikes(2, 5, 14, 15, largest=9)
    pooled = pool(spikes)
    assert pooled.dtype == torch.uint8
    assert torch.equal(pooled.float(), pool(spikes.float()))


@pytest.mark.parametrize('case', CASES, ids=case_id)
def test_every_backbone(case):
    folded = fold_norms(active_backbone(case).eval())
    check_int8(folded, torch.randn(4, 3, 32, 32))


@pytest.mark.parametrize(
    'options',
    [
        dict(stem='ms'),
        dict(stem=dict(type='GatedAttentionStem', pool=True)),
        dict(avg_down=True),
        dict(neuron=dict(type='PLIF', v_reset=None)),
        dict(family='MS', avg_down=True),
    ],
)
def test_options_of_backbones(options):
    folded = make_folded(**options, out_indices=(0, 1))
    check_int8(folded, torch.randn(2, 3, 64, 64))


@pytest.mark.parametrize('family', FAMILY_ENTRIES)
def test_only_convolutions_of_spikes_are_converted(family):
    folded = make_folded(family)
    report = quantize_int8(folded)[1]
    convs = {n for n, m in folded.named_modules() if type(m) is nn.Conv2d}
    expected = {name for name in convs if name.startswith('stem.')}
    if family in ANALOG and 'S' not in FAMILIES[family].projection:
        expected |= {name for name in convs if 'projection' in name}
    assert set(report.kept) == expected
    assert set(report.converted) == convs - expected
    assert set(report.kept.values()) == {'its input is not spikes'}
    assert report.bytes_after < 0.3 * report.bytes_before
    assert all(name in str(report) for name in report.kept)


@pytest.mark.parametrize(
    ('family', 'largest'), [('SEW-ADD', 3), ('DANet-C', 2), ('SG-BSG', 1)]
)
def test_largest_sums_are_known(family, largest):
    report = quantize_int8(make_folded(family, 18))[1]
    assert max(report.converted.values()) == largest


def test_sums_that_do_not_fit_are_an_error():
    # each block doubles the sum, where those of spikes are added densely
    doubling = replace(FAMILIES['SEW-ADD'], densely_additive=True)
    eight = Architecture(BasicBlock, (8,), (1,))
    for wiring, architecture in [(doubling, eight), ('SEW-ADD', eight)]:
        backbone = ResNetSNN(
            architecture,
            wiring,
            num_steps=2,
            base_channels=4,
            strides=(1,),
            out_indices=(0,),
        )
        folded = fold_norms(backbone.eval())
        if wiring == 'SEW-ADD':
            assert max(quantize_int8(folded)[1].converted.values()) == 8
        else:
            with pytest.raises(ValueError, match='at most 128 spikes, but up to 383'):
                quantize_int8(folded)


def test_the_model_that_is_given_stays_as_it_is():
    folded = make_folded()
    image = torch.randn(1, 3, 64, 64)
    before = folded(image)
    quantize_int8(folded)
    after = folded(image)
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_backbones_inside_of_a_model():
    folded = make_folded()
    model = nn.ModuleDict({'backbone': folded, 'neck': nn.Conv2d(8, 8, 1)}).eval()
    quantized, report = quantize_int8(model)
    assert type(quantized['neck']) is nn.Conv2d
    assert all(name.startswith('backbone.') for name in report.converted)
    assert isinstance(
        quantized.get_submodule(next(iter(report.converted))), SpikingConv2d
    )


@pytest.mark.parametrize('way', ['deepcopy', 'pickle', 'state_dict'])
def test_copies_compute_the_same(way):
    image = torch.randn(1, 3, 64, 64)
    quantized, _ = quantize_int8(make_folded())
    if way == 'deepcopy':
        twin = copy.deepcopy(quantized)
    elif way == 'pickle':
        file = io.BytesIO()
        torch.save(quantized, file)
        file.seek(0)
        twin = torch.load(file, weights_only=False)
    else:
        twin, _ = quantize_int8(make_folded())
        assert not torch.equal(twin(image)[0], quantized(image)[0])
        twin.load_state_dict(quantized.state_dict())
    for a, b in zip(twin(image), quantized(image), strict=True):
        assert torch.equal(a, b)


def test_weights_of_another_precision_are_not_loaded():
    folded = make_folded()
    quantized, _ = quantize_int8(folded)
    with pytest.raises(ValueError, match='not torch.int8'):
        quantized.load_state_dict(folded.state_dict())


def test_training_is_an_error():
    with pytest.raises(ValueError, match='eval'):
        quantize_int8(make_backbone())
    quantized, _ = quantize_int8(make_folded())
    with pytest.raises(RuntimeError, match='inference'):
        quantized.train()
    with pytest.raises(RuntimeError, match='int8 weights are for inference'):
        SpikingConv2d(nn.Conv2d(2, 2, 1)).train()


def test_what_cannot_be_converted():
    with pytest.raises(TypeError, match=r'nn\.Module'):
        quantize_int8({'a': 1})
    with pytest.raises(ValueError, match='Linear has none'):
        quantize_int8(nn.Linear(2, 2))
    with pytest.raises(ValueError, match='fold_norms first'):
        quantize_int8(make_backbone().eval())
    folded = make_folded()
    with pytest.raises(TypeError, match='bfloat16'):
        quantize_int8(copy.deepcopy(folded).bfloat16())
    with pytest.raises(ValueError, match='already'):
        quantize_int8(quantize_int8(folded)[0])
    folded.stages[0][0].branch[0].conv.weight.data[0] = torch.nan
    with pytest.raises(ValueError, match='not finite'):
        quantize_int8(folded)


def test_convolutions_of_spikes_check_what_they_get():
    layer = SpikingConv2d(nn.Conv2d(2, 2, 1))
    with pytest.raises(TypeError, match='uint8'):
        layer(torch.rand(1, 2, 3, 3))
    with pytest.raises(TypeError, match='fp32'):
        SpikingConv2d(nn.Conv2d(2, 2, 1).double())
    with pytest.raises(ValueError, match='reflect'):
        SpikingConv2d(nn.Conv2d(2, 2, 3, padding=1, padding_mode='reflect'))


def test_merges_of_bytes():
    h, x = make_spikes(1, 3, 4, 4), make_spikes(1, 3, 4, 4)
    assert torch.equal(GateMerge(3)(residual=h, shortcut=x), h | x)


def test_export():
    """Exported, the network computes the same integers, in fp32."""
    quantized, _ = quantize_int8(make_folded(base_channels=8))
    image = torch.randn(1, 3, 32, 32)
    exported = torch.export.export(quantized, (image,)).module()
    for other in (image, torch.randn(1, 3, 32, 32)):
        expected = quantized(other)
        assert all(0 < level.mean() < 1 for level in expected)
        for level, value in zip(exported(other), expected, strict=True):
            # sums are exact; a scale may round a potential across the threshold
            assert (level != value).float().mean() <= 0.01


@pytest.mark.parametrize('trace', ['fake', 'jit', 'compile'])
def test_what_is_recorded_holds_no_packed_weights(trace):
    layer = nn.Sequential(SpikingConv2d(nn.Conv2d(4, 4, 3)), Spikes(), SpikePool(2))
    spikes = make_spikes(1, 4, 9, 9)
    expected = layer(spikes)
    if trace == 'jit':
        recorded = torch.jit.trace(layer, spikes)
        torch.jit.save(recorded, file := io.BytesIO())
        file.seek(0)
        result = torch.jit.load(file)(spikes)
    elif trace == 'compile':
        result = torch.compile(layer, backend='eager', fullgraph=True)(spikes)
    else:
        with FakeTensorMode(allow_non_fake_inputs=True) as mode:
            result = layer(mode.from_tensor(spikes))
        assert result.shape == expected.shape
        assert result.dtype == expected.dtype
        return
    assert torch.equal(result, expected)


class Spikes(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x >= 0).to(torch.uint8)
