"""Integer spikes against their binary slots: equal spikes, equal features."""

import pytest
import torch
from test_models.helpers import calibrate
from torch import nn

from mmsnn.analysis import OperationCounter
from mmsnn.deploy import expand_integer_spikes, fold_norms
from mmsnn.deploy.integer_expansion import BinarySlots
from mmsnn.models import FAMILIES, ILIF, ResNetSNN

BINARY = {
    name
    for name, wiring in FAMILIES.items()
    if wiring.merge is not None and wiring.merge.keeps_spikes
}


def make(family: str, num_steps: int = 2, **neuron) -> nn.Module:
    torch.manual_seed(0)
    model = ResNetSNN(
        10,
        family,
        base_channels=8,
        num_steps=num_steps,
        neuron=dict(type='ILIF', **neuron),
        out_indices=(0, 1, 2, 3),
    )
    model.init_weights()
    return calibrate(model.double(), torch.randn(2, 3, 48, 40).double()).eval()


@pytest.mark.parametrize('neuron', [{}, dict(normalize=True)], ids=['', 'normalized'])
@pytest.mark.parametrize('family', sorted(set(FAMILIES) - BINARY))
@torch.no_grad()
def test_families(family: str, neuron: dict) -> None:
    model = make(family, **neuron)
    expanded = expand_integer_spikes(model)
    image = torch.randn(2, 3, 48, 40).double()
    for ours, theirs in zip(expanded(image), model(image), strict=True):
        assert theirs.unique().numel() > 2
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize('family', sorted(BINARY))
def test_families_of_binary_spikes_refuse(family: str) -> None:
    with pytest.raises(ValueError, match=r'defined for spikes in \{0, 1\}'):
        make(family)
    assert make(family, max_value=1).values == 'binary'


@torch.no_grad()
def test_bias_is_added_once() -> None:
    model = fold_norms(make('Spiking'))
    image = torch.randn(2, 3, 48, 40).double()
    for ours, theirs in zip(
        expand_integer_spikes(model)(image), model(image), strict=True
    ):
        assert torch.equal(ours, theirs)
    x = torch.tensor([[0.0, 4.0, 1.0]])
    for given in (x, x.expand(2, 2, 3)):
        layer = nn.Linear(3, 2)
        expected = layer(given)
        torch.testing.assert_close(BinarySlots(layer, 1.0)(given), expected)


@torch.no_grad()
def test_shared_layers() -> None:
    layer = nn.Linear(3, 3)
    model = nn.Sequential(ILIF(1), nn.Sequential(layer), ILIF(1), nn.Sequential(layer))
    expanded = expand_integer_spikes(model)
    assert expanded[1][0] is expanded[3][0]
    x = 4 * torch.rand(2, 3)
    torch.testing.assert_close(expanded(x), model(x))


@torch.no_grad()
def test_every_layer_takes_binary_spikes() -> None:
    model = make('Spiking', num_steps=1)
    expanded = expand_integer_spikes(model)
    image = torch.randn(1, 3, 48, 40).double()
    counts = {}
    for name, network in (('model', model), ('expanded', expanded)):
        with OperationCounter(network) as counter:
            network(image)
        layers = [
            layer
            for layer in counter.result().layers
            if layer.kind == 'convolution' and layer.part == 'backbone'
        ]
        counts[name] = sum(
            layer.mean.binary.accumulations + layer.mean.integer.accumulations
            for layer in layers
        )
        if name == 'expanded':
            assert {layer.values for layer in layers} == {'binary'}
    # an integer of value k costs k accumulations: as many as its slots
    assert counts['model'] == counts['expanded'] > 0


def test_mistakes() -> None:
    with pytest.raises(TypeError, match='model must be'):
        expand_integer_spikes(None)
    binary = ResNetSNN(10, 'PA-A', base_channels=8)
    with pytest.raises(ValueError, match='integer spikes'):
        expand_integer_spikes(binary)
    expanded = expand_integer_spikes(make('PA-A'))
    with pytest.raises(RuntimeError, match='for inference'):
        expanded.train()
