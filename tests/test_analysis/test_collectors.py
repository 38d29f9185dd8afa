"""What all collectors have in common."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mmsnn.analysis import FiringRates, GradCAM, OperationCounter
from mmsnn.analysis.coding.coding_dynamics import CodingDynamics
from mmsnn.analysis.collector import Collector
from mmsnn.analysis.gradients.gradient_flow import GradientFlow
from mmsnn.analysis.gradients.gradient_stability import GradientStability
from mmsnn.analysis.recorders.attention_recorder import AttentionCapture
from mmsnn.analysis.recorders.spike_recorder import SpikeCapture
from mmsnn.reporting.json_encoding import to_plain
from mmsnn.streaming import step

from .nets import TwoLayers, make_classifier

COLLECTORS: dict[str, Callable[..., Collector]] = {
    'FiringRates': FiringRates,
    'OperationCounter': OperationCounter,
    'CodingDynamics': lambda model: CodingDynamics(model, compare=True),
    'GradientFlow': lambda model: GradientFlow(model, weights=True),
    'GradientStability': GradientStability,
    'SpikeCapture': lambda model, *i: SpikeCapture(model, 'backbone.stem', *i),
    'AttentionCapture': AttentionCapture,
}
RECORDERS = {
    name: COLLECTORS.get(name, lambda model, *i: GradCAM(model, 'backbone.stem', *i))
    for name in ('SpikeCapture', 'AttentionCapture', 'GradCAM')
}
ALL = pytest.mark.parametrize('make', COLLECTORS.values(), ids=COLLECTORS)


@pytest.fixture(scope='module')
def model() -> nn.Module:
    """A classifier with everything that is collected."""
    torch.manual_seed(0)
    # in double precision, so that no spike depends on how a batch is summed
    return make_classifier(stem='gac-cifar').double()


def noise(num: int) -> Tensor:
    return torch.randn(num, 3, 16, 16, dtype=torch.float64)


def count_hooks(model: nn.Module) -> int:
    kinds = ('_forward_hooks', '_forward_pre_hooks', '_backward_hooks')
    parts = [*model.modules(), *model.parameters()]
    return sum(len(getattr(part, kind, None) or ()) for part in parts for kind in kinds)


def run(model: nn.Module, images: Tensor) -> tuple[Tensor, ...]:
    """Return outputs, what the model holds, and the gradients of a backward pass."""
    model.zero_grad()
    outputs = model(images)
    sum(x.square().sum() for x in outputs).backward()
    gradients = [parameter.grad.clone() for parameter in model.parameters()]
    return *outputs, *(x.clone() for x in model.state_dict().values()), *gradients


@ALL
def test_the_model_is_left_as_it_was(make: Callable, model: nn.Module) -> None:
    images = noise(2)
    before = run(model, images)
    with make(model) as collector:
        assert count_hooks(model)
        during = run(model, images)
    assert not count_hooks(model)
    result = to_plain(collector.result())
    # after the exit, nothing is collected
    run(model, torch.zeros_like(images))
    assert to_plain(collector.result()) == result
    after = run(model, images)
    for a, b, c in zip(before, during, after, strict=True):
        assert torch.equal(a, b) and torch.equal(a, c)
    with make(model) as collector:
        run(model, images)
    assert to_plain(collector.result()) == result


@ALL
def test_errors(make: Callable, model: nn.Module) -> None:
    collector = make(model)
    with pytest.raises((RuntimeError, ValueError), match='not called|no .* pass'):
        collector.result()
    with pytest.raises(ArithmeticError), collector:
        raise ArithmeticError
    assert not count_hooks(model)
    with (
        collector,
        pytest.raises(RuntimeError, match='been entered'),
        collector,
    ):
        pass


def leaves(value: Any) -> list[Any]:
    if isinstance(value, dict | list):
        items = value.values() if isinstance(value, dict) else value
        return [leaf for item in items for leaf in leaves(item)]
    return [value]


@pytest.mark.parametrize(
    ('name', 'stem'),
    [
        ('FiringRates', 'gac-cifar'),
        ('OperationCounter', 'cifar'),
        ('CodingDynamics', 'gac-cifar'),
    ],
)
def test_images_add_up_in_any_batches(name: str, stem: str) -> None:
    model, images = make_classifier(stem=stem).double(), noise(6)
    with COLLECTORS[name](model) as whole, torch.no_grad():
        model(images)
    apart = COLLECTORS[name](model)
    for batches in (images[:1].split(1), images[1:].split(2)):
        with apart, torch.no_grad():
            for batch in batches:
                model(batch)
    expected, found = (leaves(to_plain(each.result())) for each in (whole, apart))
    for one, other in zip(found, expected, strict=True):
        close = pytest.approx(other, rel=1e-9) if type(other) is float else other
        assert one == close


@pytest.mark.parametrize('make', RECORDERS.values(), ids=RECORDERS)
def test_an_image_that_is_not_there(make: Callable, model: nn.Module) -> None:
    with pytest.raises(ValueError, match='image must be an index.*-1'):
        make(model, -1)
    with (
        make(model, 2),
        pytest.raises(ValueError, match='image must be less than 2, .* got 2'),
    ):
        model(noise(2))


class Stream(TwoLayers):
    """Two layers that take frames, any number of them in a stream."""

    def forward(self, frames: Tensor) -> Tensor:
        frames = frames.transpose(0, 1).flatten(0, 1)
        return self.second(self.neuron(self.first(frames)))


@torch.no_grad()
def stream(collector: Collector, frames: Tensor, *calls: int) -> Any:
    """Return what is collected in a stream, in calls of some frames each."""
    state = None
    with collector:
        for num_steps in calls:
            now, frames = frames[:, :num_steps], frames[:, num_steps:]
            _, state = step(collector.model, now, num_steps=num_steps, state=state)
    return collector.result()


def test_firing_rates_of_a_stream() -> None:
    frames = torch.rand(2, 6, 1, 4, 4)
    model = Stream(num_steps=6)
    with FiringRates(model) as rates:
        model(frames)
    expected = rates.result().firing_rate
    for calls in ((6,), (2, 2, 2), (1,) * 6):
        rates = stream(FiringRates(model), frames, *calls)
        assert rates.firing_rate == pytest.approx(expected)
        assert len(rates.neurons[0].step_firing_rates) == calls[0]
    with pytest.raises(
        ValueError, match=r'same number of time steps, but got \[2, 4\]'
    ):
        stream(FiringRates(model), frames, 2, 4)


def test_spikes_of_a_stream() -> None:
    """The last call is kept; potentials, which depend on the state, are refused."""
    frames = torch.rand(2, 6, 1, 4, 4)
    model = Stream(num_steps=6)
    capture = SpikeCapture(model, 'neuron', traces=())
    with capture:
        model(frames)
    expected = capture.result().layers[0].spikes
    found = stream(SpikeCapture(model, 'neuron', traces=()), frames, 4, 2)
    assert (found.layers[0].spikes == expected[4:]).all()
    for collector in (SpikeCapture(model, 'neuron'), GradientStability(model)):
        with pytest.raises(ValueError, match=r'cannot be computed in mmsnn.streaming'):
            stream(collector, frames, 4, 2)
