"""The integer neuron against hand formulas and SpikingJelly."""

import itertools

import pytest
import torch
from spikingjelly.activation_based.neuron import ILIFNode
from test_deploy.int8_check import check_int8
from torch import Tensor, nn

from mmsnn.analysis import (
    CodingDynamics,
    FiringRates,
    GradientStability,
    OperationCounter,
    SpikeCapture,
)
from mmsnn.deploy import fold_norms, quantize_int8
from mmsnn.models import ILIF, ResNetSNN
from mmsnn.ops import Packed, pack

from ..helpers import calibrate


@pytest.fixture
def x() -> Tensor:
    torch.manual_seed(0)
    return torch.randn(4 * 2, 3, 5, 4) * 3


@pytest.mark.parametrize('num_steps', [1, 4])
@pytest.mark.parametrize('normalize', [False, True])
def test_by_hand(num_steps: int, normalize: bool, x: Tensor) -> None:
    neuron = ILIF(num_steps, max_value=3, decay=0.5, normalize=normalize)
    h = c = torch.zeros(())
    expected, potentials = [], []
    for current in x.unflatten(0, (num_steps, -1)):
        h = 0.5 * (h - c) + current
        c = h.clamp(0, 3).round()
        potentials.append(h)
        expected.append(c / 3 if normalize else c)
    assert torch.equal(neuron(x), torch.cat(expected))
    assert torch.equal(neuron.potentials(x), torch.cat(potentials))
    h = torch.cat(potentials)
    inside = ((h >= 0) & (h <= 3)).float()
    assert torch.equal(neuron.slopes(x), inside / 3 if normalize else inside)


def test_spikingjelly(x: Tensor) -> None:
    for num_steps, detach in itertools.product((1, 4), (False, True)):
        theirs = ILIFNode(tau=2.0, detach_reset=detach, step_mode='m')
        ours = ILIF(num_steps, max_value=4, decay=0.5, detach_reset=detach)
        mine, other = (x.clone().requires_grad_() for _ in range(2))
        y = ours(mine)
        z = theirs(other.unflatten(0, (num_steps, -1))).flatten(0, 1)
        assert torch.equal(y, z)
        upstream = torch.randn_like(y)
        (y * upstream).sum().backward()
        (z * upstream).sum().backward()
        torch.testing.assert_close(mine.grad, other.grad)


def test_attributes() -> None:
    neuron = ILIF(2, normalize=True)
    assert (neuron.spike_values, neuron.spike_unit) == ('integer', 0.25)
    assert ILIF(1, max_value=1).spike_values == 'binary'
    assert neuron.decay() == 0.75
    assert 'max_value=4' in repr(neuron)


def make(**options) -> nn.Module:
    torch.manual_seed(0)
    settings = dict(base_channels=8, num_steps=2, neuron=dict(type='ILIF'))
    model = ResNetSNN(10, 'Spiking', **{**settings, **options})
    model.init_weights()
    return calibrate(model, torch.randn(2, 3, 48, 40)).eval()


def test_memory_efficient() -> None:
    """Integers are packed in bytes, and gradients are the same."""
    assert isinstance(pack(torch.randint(0, 5, (2, 3)).float()), Packed)
    image, grads = torch.randn(2, 3, 48, 40), []
    for memory_efficient in (False, True):
        model = make(memory_efficient=memory_efficient).train()
        model(image)[0].square().sum().backward()
        grads.append([p.grad for p in model.parameters()])
    assert all(map(torch.equal, *grads))
    assert all(grad.any() for grad in grads[0])


@torch.no_grad()
def test_folding_and_int8() -> None:
    report, (level,) = check_int8(fold_norms(make()), torch.randn(2, 3, 48, 40), 1e-3)
    assert set(report.converted.values()) == {4}
    assert level.amax() > 1
    with pytest.raises(ValueError, match='at most 128'):
        quantize_int8(fold_norms(make(neuron=dict(type='ILIF', max_value=129))))
    with pytest.raises(ValueError, match='normalize'):
        quantize_int8(fold_norms(make(neuron=dict(type='ILIF', normalize=True))))


@pytest.mark.parametrize('normalize', [False, True])
@torch.no_grad()
def test_analyses_count_spikes(normalize: bool) -> None:
    """A value k is k spikes, whether it is divided by D or not."""
    model = make(neuron=dict(type='ILIF', normalize=normalize))
    image = torch.randn(1, 3, 48, 40)
    assert (model.values, model.out_values) == ('integer', 'integer')
    name = 'stages.0.0.post.neuron'
    seen = []
    neuron = model.get_submodule(name)
    neuron.register_forward_hook(lambda *args: seen.append(args[-1]))
    collectors = (
        FiringRates(model),
        OperationCounter(model),
        SpikeCapture(model, name, traces=3),
        CodingDynamics(model),
        GradientStability(model),
    )
    results = []
    for collector in collectors:
        with collector:
            model(image)
        results.append(collector.result())
    rates, operations, spikes, coding, stability = results
    numbers = seen[0] / neuron.spike_unit
    firing = {x.name: x.firing_rate for x in rates.neurons}
    assert firing[name] == pytest.approx(numbers.mean().item())
    counted = {x.name: x.firing_rate for x in operations.neurons}
    assert counted == pytest.approx(firing)
    (layer,) = spikes.layers
    assert torch.equal(torch.from_numpy(layer.spikes).float(), numbers)
    for trace in layer.traces:
        place = (slice(None), *trace.neuron)
        assert list(trace.fired) == layer.spikes[place].tolist()
        after = [h - n for h, n in zip(trace.potentials, trace.fired, strict=True)]
        assert list(trace.potentials_after) == pytest.approx(after)
    (encoder,) = coding.encoders
    assert (encoder.values, encoder.levels) == ('integer', 4)
    assert all(0 < x.amplitude <= 1 for x in stability.neurons)
    fed = [x for x in operations.layers if x.name == 'stages.1.0.branch.0.conv']
    assert fed[0].values == 'integer'
    assert fed[0].mean.spikes_in == numbers.sum().item()
