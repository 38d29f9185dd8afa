"""Firing rates of layers: by hand, of single images, without side effects."""

import math

import pytest
import torch
from test_models.helpers import calibrate, make_backbone
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from mmsnn.analysis.firing.firing_rates import Firing, FiringRates
from mmsnn.models.neurons import IF

STEPS = 4
# spikes in four steps: at all; at the 2nd and 4th; at the 4th; none
CURRENTS = torch.tensor([1.0, 0.5, 0.25, 0.0])


class Net(nn.Module):
    """A layer of IF neurons, whose constant currents are the pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.neuron = IF(STEPS)
        self.other = IF(STEPS)
        self.folded = True
        self.calls = 1
        self.use_other = False

    def forward(self, image: Tensor) -> Tensor:
        if self.folded:
            currents = torch.cat([image] * STEPS)
        else:
            currents = image.expand(STEPS, *image.shape)
        for _ in range(self.calls):
            spikes = self.neuron(currents)
        if self.use_other:
            self.other(currents)
        return spikes


def measure(model: nn.Module, *batches: Tensor) -> Firing:
    with FiringRates(model) as rates, torch.no_grad():
        for batch in batches:
            model(batch)
    return rates.result()


@pytest.mark.parametrize('folded', [True, False])
def test_by_hand(folded: bool) -> None:
    net = Net()
    net.folded = folded
    busy = CURRENTS.view(1, 1, 2, 2)
    images = torch.cat([busy, 0 * busy])
    (neurons,) = measure(net, images).neurons
    assert neurons.name == neurons.part == 'neuron'
    assert neurons.num_neurons == 4
    assert neurons.firing_rate == 7 / 32
    assert neurons.step_firing_rates == (1 / 8, 2 / 8, 1 / 8, 3 / 8)
    assert neurons.image_firing_rates == (7 / 16, 0)
    assert neurons.silent_share == 1 / 4
    # what is silent in one image may fire in another
    firing = measure(net, images, busy.flip(3))
    assert firing.num_images == 3
    assert firing.neurons[0].silent_share == 0
    assert firing.image_firing_rates == (7 / 16, 0, 7 / 16)
    assert firing.firing_rate == firing.neurons[0].firing_rate == 14 / 48


def test_images_of_different_sizes() -> None:
    """Rates are over all neurons; places are counted from the upper left."""
    wide, high = torch.zeros(1, 1, 1, 3), torch.zeros(1, 1, 3, 1)
    wide[..., 2] = high[..., 0, 0] = 1
    large = torch.zeros(1, 1, 2, 2)
    (neurons,) = measure(Net(), wide, high, large).neurons
    assert neurons.num_neurons == 10 / 3
    assert neurons.firing_rate == 2 / 10
    assert neurons.image_firing_rates == (1 / 3, 1 / 3, 0)
    # of the places (0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (2, 0) two fired
    assert neurons.silent_share == 4 / 6


def test_layer_that_is_called_twice_or_by_some_images() -> None:
    net = Net()
    image = CURRENTS.view(1, 1, 2, 2)
    net.calls = 2
    (twice,) = measure(net, image).neurons
    assert twice.num_neurons == 8
    assert (twice.firing_rate, twice.silent_share) == (7 / 16, 1 / 4)
    net.calls = 1
    with FiringRates(net) as rates, torch.no_grad():
        net(image)
        net.use_other = True
        net(image)
        net.use_other = False
        net(image)
    neuron, other = rates.result().neurons
    assert neuron.image_firing_rates == (7 / 16,) * 3
    assert other.firing_rate == other.image_firing_rates[1] == 7 / 16
    assert [math.isnan(rate) for rate in other.image_firing_rates] == [
        True,
        False,
        True,
    ]


def test_what_does_not_count() -> None:
    net = Net()
    image = CURRENTS.view(1, 1, 2, 2).requires_grad_()
    with FiringRates(net) as rates:
        # a part alone
        net.neuron(torch.ones(STEPS, 1))
        # a call that fails: of the second layer's spikes none were seen
        broken = net.other.register_forward_pre_hook(fail)
        net.use_other = True
        with pytest.raises(OSError):
            net(image)
        broken.remove()
        # what activation checkpointing computes again
        net.use_other = False
        net.neuron.forward = Again(net.neuron.forward)
        net(image).sum().backward()
        assert net.neuron.forward.calls == 2
    firing = rates.result()
    assert firing.num_images == 1
    assert firing.image_firing_rates == (7 / 16,)


class Again:
    """A function under activation checkpointing."""

    def __init__(self, function) -> None:
        self.function = function
        self.calls = 0

    def _count(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.function(x)

    def __call__(self, x: Tensor) -> Tensor:
        return checkpoint(self._count, x, use_reentrant=False)


def fail(*args: object) -> None:
    raise OSError


def test_totals_by_definition() -> None:
    images = torch.randn(8, 3, 32, 32)
    firing = measure(calibrate(make_backbone('SG-BSG'), images).eval(), images)
    assert len(set(firing.image_firing_rates)) == 8
    spikes = [n.firing_rate * n.num_neurons for n in firing.neurons]
    assert firing.firing_rate == pytest.approx(sum(spikes) / firing.num_neurons)
    for n in firing.neurons:
        assert sum(n.step_firing_rates) / 2 == pytest.approx(n.firing_rate)
        assert sum(n.image_firing_rates) / 8 == pytest.approx(n.firing_rate)
    assert 0 < firing.firing_rate < 1
