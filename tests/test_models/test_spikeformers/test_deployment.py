"""Merged, folded and int8 networks, and what the analyses say of the networks."""

import pytest
import torch
from test_deploy.int8_check import check_int8
from torch import nn

from mmsnn.analysis import GradientFlow, OperationCounter, SpikeCapture
from mmsnn.analysis.firing import FiringRates
from mmsnn.deploy import fold_norms, merge_convolutions
from mmsnn.models import MetaSpikeFormer
from mmsnn.models.layers import RepConv, SpikeDrivenAttention
from mmsnn.models.neurons import BaseNeuron

from .networks import KINDS, make


def image(count: int = 2) -> torch.Tensor:
    return torch.randn(count, 3, 64, 48)


@pytest.mark.parametrize('kind', KINDS)
def test_merged_and_folded_networks_are_the_same(kind):
    backbone = make(kind).eval().double()
    x = image().double()
    with torch.no_grad():
        expected = backbone(x)
        merged = merge_convolutions(backbone)
        folded = fold_norms(merged)
        for net in (merged, folded):
            for level, other in zip(expected, net(x), strict=True):
                assert torch.equal(level, other)
    assert not any(isinstance(m, RepConv) for m in folded.modules())
    assert not any(isinstance(m, nn.BatchNorm2d) for m in folded.modules())
    # what it was given is not changed
    assert any(isinstance(m, nn.BatchNorm2d) for m in backbone.modules())


def test_what_can_be_merged():
    merged = merge_convolutions(make('V2', memory_efficient=True))
    assert isinstance(merged, MetaSpikeFormer)
    with torch.no_grad():
        assert merged(image())[0].any()
    with pytest.raises(TypeError, match='model must be an nn.Module, but got'):
        merge_convolutions('model')
    with pytest.raises(ValueError, match='before norms are folded'):
        merge_convolutions(fold_norms(make('V2')))


@pytest.mark.parametrize(
    ('kind', 'merge'), [('V2', True), ('V2', False), ('V3', False)]
)
def test_int8(kind, merge):
    backbone = make(kind).eval()
    if merge:
        backbone = merge_convolutions(backbone)
    folded = fold_norms(backbone)
    report, _ = check_int8(folded, image(), 0.1)
    analog = {'stem.encode.conv'}
    if kind == 'V2':
        convs = [n for n, m in folded.named_modules() if isinstance(m, nn.Conv2d)]
        ends = ('branches.conv.2.conv',)  # after the depthwise one without neurons
        if not merge:
            ends += ('depthwise', 'pointwise2')
        analog |= {name for name in convs if name.endswith(ends)}
    assert set(report.kept) == analog


@pytest.mark.parametrize('kind', KINDS)
def test_products_of_spikes_are_accumulations(kind):
    backbone, spikes = make(kind).eval(), {}
    for name, attention in backbone.named_modules():
        if isinstance(attention, SpikeDrivenAttention):
            for role in ('query', 'key', 'value'):
                getattr(attention, role).register_forward_hook(
                    lambda _, args, out, key=(name, role): spikes.update({key: out})
                )
    with OperationCounter(backbone) as counter, torch.no_grad():
        backbone(image(3))
    operations = counter.result()
    assert not operations.uncounted
    names = {name for name, _ in spikes}
    found = [layer for layer in operations.layers if layer.name in names]
    assert len(found) == len(names) > 0
    for layer in found:
        q, k, v = (spikes[layer.name, role] for role in ('query', 'key', 'value'))
        width = v.shape[1] // 2  # of a head
        positions = q.shape[2] * q.shape[3]
        values = 'integer' if kind == 'V3' else 'binary'
        assert (layer.kind, layer.values, layer.weights) == ('linear', values, 0)
        steps_channels = q.shape[0] / 3 * q.shape[1]
        assert layer.mean.dense == 2 * steps_channels * positions * width
        additions = (q.sum() + k.sum()).item() * width / 3
        assert getattr(layer.mean, values).accumulations == pytest.approx(additions)
        assert additions > 0


def test_what_multiplies_is_said():
    def analog(net):
        with OperationCounter(net) as counter, torch.no_grad():
            net(image())
        layers = counter.result().layers
        kinds = ('convolution', 'linear')
        return {x.name for x in layers if x.kind in kinds and x.mean.analog.dense}

    v2 = make('V2').eval()
    ends = {name.rpartition('branches.')[2] for name in analog(v2)}
    chains = {
        f'attention.{role}.conv.{conv}'
        for role in ('query', 'key', 'value', 'out')
        for conv in ('depthwise', 'pointwise2')
    }
    assert ends == {'stem.encode.conv', 'conv.2.conv', *chains}
    ends = {n.rpartition('branches.')[2] for n in analog(merge_convolutions(v2))}
    assert ends == {'stem.encode.conv', 'conv.2.conv'}
    assert analog(make('V3').eval()) == {'stem.encode.conv'}


@pytest.mark.parametrize('kind', KINDS)
def test_analyses(kind):
    backbone = make(kind)
    names = [n for n, m in backbone.named_modules() if isinstance(m, BaseNeuron)]
    with FiringRates(backbone) as rates, SpikeCapture(backbone, names) as capture:
        backbone.eval()(image(1))
    assert len(rates.result().neurons) == len(names) > 60
    assert len(capture.result().layers) == len(names)
    backbone.train()
    with GradientFlow(backbone, weights=True) as flow:
        sum(level.sum() for level in backbone(image())).backward()
    assert flow.result().layers
