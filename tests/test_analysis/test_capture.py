"""Spikes and potentials of one image."""

import pytest
import torch
from mmdet.structures import DetDataSample
from torch import Tensor, nn

from mmsnn.analysis.recorders.spike_recorder import (
    SpikeCapture,
    choose_neurons,
    spread_neurons,
)
from mmsnn.models import SGResNet
from mmsnn.models.neurons import BaseNeuron

from .nets import TwoLayers

NUM_STEPS = 3


def small(**options: object) -> SGResNet:
    """A network of 13 layers of neurons that fire."""
    settings = dict(depth=10, base_channels=4, num_steps=NUM_STEPS) | options
    model = SGResNet(**settings).eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.constant_(module.bias, 0.4)
    return model


def test_by_hand() -> None:
    """Constant currents into IF neurons of threshold 1 that are reset to 0."""
    model = TwoLayers(num_steps=4)
    image = torch.tensor([[0.5, 1.0], [0.3, -1.0]]).view(1, 1, 2, 2)
    wanted = [(0, 0, 0), (0, 0, 1), (0, 1, 0), (0, 1, 1)]
    with SpikeCapture(model, 'neuron', traces=wanted) as capture:
        model(image)
    (layer,) = capture.result().layers
    assert layer.name == 'neuron'
    assert layer.spikes.tolist() == [
        [[[False, True], [False, False]]],
        [[[True, True], [False, False]]],
        [[[False, True], [False, False]]],
        [[[True, True], [True, False]]],
    ]
    assert layer.firing_rate == 7 / 16
    assert layer.firing_rates.tolist() == [[[0.5, 1.0], [0.25, 0.0]]]
    assert layer.firing_rate_per_step == (0.25, 0.5, 0.25, 0.75)
    half, one, less, none = layer.traces
    assert half.neuron == (0, 0, 0)
    assert half.potentials == (0.5, 1.0, 0.5, 1.0)
    assert half.fired == (False, True, False, True)
    assert half.potentials_after == (0.5, 0.0, 0.5, 0.0)
    assert one.potentials == (1.0,) * 4
    assert less.potentials == pytest.approx((0.3, 0.6, 0.9, 1.2))
    assert less.fired == (False, False, False, True)
    assert none.potentials_after == none.potentials == (-1.0, -2.0, -3.0, -4.0)
    assert (half.v_threshold, half.v_reset, half.rest) == (1.0, 0.0, 0.0)
    assert layer.spikes.dtype == bool
    with capture:
        model(0 * image)
    assert not capture.result().image.values.any()


def test_soft_reset() -> None:
    model = TwoLayers(num_steps=2)
    model.neuron = type(model.neuron)(num_steps=2, v_reset=None)
    with SpikeCapture(model, 'neuron', traces=[(0, 0, 0)]) as capture:
        model(torch.full((1, 1, 1, 1), 1.5))
    (trace,) = capture.result().layers[0].traces
    assert trace.potentials == (1.5, 2.0)
    assert trace.potentials_after == (0.5, 1.0)


@pytest.mark.parametrize('frames', [False, True])
def test_an_image_of_a_batch(frames: bool) -> None:
    model = small(in_channels=2)
    shape = (3, NUM_STEPS, 2, 32, 32) if frames else (3, 2, 32, 32)
    batch = 3 * torch.randn(shape)
    # alone it is what it is in a batch, whose neurons in the stem are fed unfolded
    found = []
    for images, index in ((batch, 1), (batch[1:2], 0)):
        capture = SpikeCapture(model, ['stem', 'stages.1'], index)
        with capture, torch.no_grad():
            model(images)
        found.append(capture.result())
    together, alone = found
    assert together.image.values.tolist() == batch[1].tolist()
    names = [layer.name for layer in alone.layers]
    assert names[0] == 'stem.neuron' and names[1].startswith('stages.1.')
    for one, other in zip(together.layers, alone.layers, strict=True):
        assert one.spikes.shape[0] == NUM_STEPS and one.spikes.ndim == 4
        assert 0 < one.firing_rate < 1
        assert (one.spikes == other.spikes).all()
        assert [trace.neuron for trace in one.traces] == [
            trace.neuron for trace in other.traces
        ]
        for trace in one.traces:
            place = (slice(None), *trace.neuron)
            assert one.spikes[place].tolist() == list(trace.fired)
            assert [h >= 1 for h in trace.potentials] == list(trace.fired)


class Detector(nn.Module):
    """Called as MMDetection's are."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = small()

    def forward(self, inputs: Tensor, data_samples: list) -> tuple[Tensor, ...]:
        """Return the features."""
        return self.backbone(inputs)


def test_padding_is_known() -> None:
    model = Detector()
    samples = [DetDataSample(metainfo=dict(img_shape=(20 + i, 30))) for i in range(2)]
    with SpikeCapture(model, 'backbone.stem', 1) as capture:
        model(torch.randn(2, 3, 32, 32), data_samples=samples)
    image = capture.result().image
    assert image.values.shape == (3, 32, 32)
    assert (image.height, image.width) == (21, 30)


def test_names() -> None:
    model = small()
    names = [name for name, _ in choose_neurons(model, ['stages.1', 'stem'])]
    assert names[0] == 'stem.neuron'
    assert len(names) == 4 and all(name.startswith('stages.1.') for name in names[1:])
    assert choose_neurons(model, 'stem.neuron')[0][1] is model.stem.neuron


def test_only_traced_neurons_have_potentials_computed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They are what all neurons' potentials are at their places."""
    model, image = small(), torch.rand(2, 3, 32, 32)
    compute, shapes = BaseNeuron.potentials, []
    whole: list[torch.Tensor] = []

    def spy(neuron: BaseNeuron, x: torch.Tensor) -> torch.Tensor:
        shapes.append(tuple(x.shape))
        return compute(neuron, x)

    monkeypatch.setattr(BaseNeuron, 'potentials', spy)
    neuron = model.stages[1][0].branch[0].neuron
    neuron.register_forward_pre_hook(lambda _, args: whole.append(args[0]))
    name = 'stages.1.0.branch.0.neuron'
    with SpikeCapture(model, name, image=1, traces=5) as capture:
        model(image)
    (layer,) = capture.result().layers
    assert shapes == [(NUM_STEPS, 5)]
    every = compute(neuron, whole[0]).unflatten(0, (NUM_STEPS, 2))[:, 1]
    for trace in layer.traces:
        expected = every[(slice(None), *trace.neuron)]
        assert trace.potentials == tuple(expected.tolist())


def test_spread_neurons() -> None:
    counts = torch.tensor([0, 0, 3, 1, 0, 1, 2, 0])
    spikes = torch.arange(3)[:, None] < counts
    # one of each count, from the busiest; of several the one in the middle
    assert spread_neurons(spikes, 4) == [(2,), (6,), (5,), (4,)]
    assert spread_neurons(spikes, 2) == [(2,), (4,)]
    # the shares of those that have no more go to others
    assert spread_neurons(spikes, 6) == [(2,), (6,), (3,), (5,), (1,), (7,)]
    assert len(spread_neurons(spikes, 99)) == 8
    assert spread_neurons(spikes.view(3, 2, 2, 2), 1) == [(0, 1, 0)]
